//! What each kind of fault does, and what undoes it. Switches go back by themselves after a while; whatever is left when
//! the faults stop is healed all at once.

use super::{kinds::Kind, plan::Strike};
use crate::{
    stage::{KEY, Stage, Way},
    world::{Ec2Faults, Faults},
};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use shared::{ids::StoreId, ts::Ts};
use std::{collections::BTreeSet, time::Duration};

/// Ends a fault.
pub(super) type Undo = Box<dyn FnOnce(&Stage)>;

/// What took place.
pub(super) struct Struck {
    /// For the trace.
    pub(super) text: String,
    /// What ends it, and after how many milliseconds.
    pub(super) undo: Option<(u64, Undo)>,
    /// Processes that are down on purpose until then; "" is the coordinator.
    pub(super) down: Vec<String>,
}

/// Whom a fault may hit.
struct Aim<'a> {
    stage: &'a Stage,
    rng: SmallRng,
    planes: Vec<String>,
}

impl Aim<'_> {
    fn plane(&mut self) -> String {
        self.planes.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn store(&mut self) -> StoreId {
        self.stage.world.stores().choose(&mut self.rng).map_or(StoreId(1), |(store, _)| *store)
    }

    fn ms(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from..=to)
    }
}

fn once(text: impl Into<String>) -> Option<Struck> {
    Some(Struck { text: text.into(), undo: None, down: Vec::new() })
}

fn until(text: impl Into<String>, ms: u64, undo: impl FnOnce(&Stage) + 'static) -> Option<Struck> {
    Some(Struck { text: format!("{} for {ms} ms", text.into()), undo: Some((ms, Box::new(undo))), down: Vec::new() })
}

fn switch(
    aim: &Aim<'_>,
    text: impl Into<String>,
    ms: u64,
    on: impl FnOnce(&mut Faults),
    off: impl FnOnce(&mut Faults) + 'static,
) -> Option<Struck> {
    aim.stage.world.faults(on);
    until(text, ms, move |stage| stage.world.faults(off))
}

fn set_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<StoreId> + 'static,
) -> Option<Struck> {
    let (store, ms) = (aim.store(), aim.ms(from, to));
    aim.stage.world.faults(|faults| of(faults).insert(store));
    until(format!("{text} of store {store}"), ms, move |stage| {
        stage.world.faults(|faults| of(faults).remove(&store));
    })
}

fn plane_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<String> + 'static,
) -> Option<Struck> {
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    aim.stage.world.faults(|faults| of(faults).insert(plane.clone()));
    until(format!("{text} of {plane}"), ms, move |stage| {
        stage.world.faults(|faults| of(faults).remove(&plane));
    })
}

fn ec2(aim: &mut Aim<'_>, text: &str, change: impl FnOnce(&mut Ec2Faults, u32)) -> Option<Struck> {
    let (plane, count) = (aim.plane(), aim.rng.random_range(1..=3));
    aim.stage.world.faults(|faults| change(faults.ec2.entry(plane.clone()).or_default(), count));
    once(format!("{text} in {plane}, {count}"))
}

fn ec2_until(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    on: impl FnOnce(&mut Ec2Faults, &mut SmallRng),
    off: impl FnOnce(&mut Ec2Faults) + 'static,
) -> Option<Struck> {
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    let Aim { stage, rng, .. } = aim;
    stage.world.faults(|faults| on(faults.ec2.entry(plane.clone()).or_default(), rng));
    until(format!("{text} in {plane}"), ms, move |stage| {
        stage.world.faults(|faults| off(faults.ec2.entry(plane).or_default()));
    })
}

/// Lets a fault take place. `None`: it cannot now (nothing to kill, nothing to split).
pub(super) fn strike(stage: &Stage, strike: &Strike) -> Option<Struck> {
    let planes = stage.world.config().planes.into_iter().map(|plane| plane.name).collect();
    let mut aim = Aim { stage, rng: SmallRng::seed_from_u64(strike.seed), planes };
    tikv(&mut aim, strike.kind)
        .or_else(|| pd(&mut aim, strike.kind))
        .or_else(|| aws(&mut aim, strike.kind))
        .or_else(|| network(&mut aim, strike.kind))
        .or_else(|| processes(&mut aim, strike.kind))
        .or_else(|| people(&mut aim, strike.kind))
}

fn tikv(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let world = &aim.stage.world;
    match kind {
        Kind::StoreRestart => {
            let (store, ms) = (aim.store(), aim.ms(50, 8_000));
            world.restart_store(store, Duration::from_millis(ms));
            once(format!("store {store} restarts, down {ms} ms"))
        }
        Kind::StoreUnreachable => set_switch(aim, "unreachable", (200, 20_000), |faults| &mut faults.unreachable),
        Kind::LeaseTakenOver => {
            let (store, lease) = (aim.store(), aim.rng.random_bool(0.5).then_some(10));
            world.take_over_hold(store, lease);
            once(format!("store {store} is taken over, lease {lease:?}"))
        }
        Kind::LeaseFinished => {
            let store = aim.store();
            world.finish_by_other(store);
            once(format!("lease of store {store} is finished by another"))
        }
        Kind::RenewalsDropped => set_switch(aim, "renewals dropped", (1_000, 20_000), |f| &mut f.drop_renewals),
        Kind::AnswersDropped => set_switch(aim, "answers dropped", (1_000, 20_000), |f| &mut f.drop_answers),
        Kind::SlowApply => {
            let (store, slow, ms) = (aim.store(), aim.ms(200, 4_000), aim.ms(1_000, 15_000));
            let on = |faults: &mut Faults| {
                faults.slow_apply.insert(store, Duration::from_millis(slow));
            };
            switch(aim, format!("store {store} applies {slow} ms later"), ms, on, move |faults| {
                faults.slow_apply.remove(&store);
            })
        }
        Kind::LeadersMove => {
            let store = aim.store();
            world.move_leaders(store);
            once(format!("leaders leave store {store}"))
        }
        Kind::StaleLeader => {
            let (store, ms) = (aim.store(), aim.ms(300, 9_000));
            world.leave_stale_leaders(store);
            until(format!("store {store} does not hear of its successors"), ms, |stage| {
                stage.world.hear_of_elections();
            })
        }
        Kind::MergeUnderLease => {
            let (slow, ms) = (aim.ms(200, 6_000), aim.ms(1_000, 8_000));
            let on = |faults: &mut Faults| faults.slow_merge = Duration::from_millis(slow);
            let struck = switch(aim, format!("merges commit {slow} ms later"), ms, on, |faults| {
                faults.slow_merge = Duration::ZERO;
            });
            world.merge_some();
            struck
        }
        Kind::FreshSplit => {
            let ms = aim.ms(500, 12_000);
            let struck = switch(
                aim,
                "no safe_ts for a fresh split",
                ms,
                |f| f.zero_safe_ts = true,
                |f| {
                    f.zero_safe_ts = false;
                },
            );
            world.fresh_split();
            struck
        }
        Kind::SafeTsStuck => set_switch(aim, "safe_ts stuck", (2_000, 20_000), |faults| &mut faults.stuck_safe_ts),
        Kind::AdminStorm => {
            let times = aim.rng.random_range(5..40);
            world.disturb(times);
            once(format!("{times} admin commands"))
        }
        Kind::StoreJoins => {
            let ms = aim.ms(500, 30_000);
            switch(aim, "a store joins that is in no plane", ms, |f| f.stranger = true, |f| f.stranger = false)
        }
        Kind::StoreOffline => set_switch(aim, "offline", (500, 20_000), |faults| &mut faults.offline),
        Kind::StoreDisconnected => set_switch(aim, "disconnected", (500, 20_000), |faults| &mut faults.disconnected),
        _ => None,
    }
}

fn pd(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let world = &aim.stage.world;
    let forced = |aim: &mut Aim<'_>, value: Ts| {
        let ms = aim.ms(2_000, 30_000);
        switch(
            aim,
            format!("min-resolved-ts is {value}"),
            ms,
            |f| f.min_resolved = Some(value),
            |f| {
                f.min_resolved = None;
            },
        )
    };
    match kind {
        Kind::PdLeader => {
            let ms = aim.ms(0, 10_000);
            world.change_pd_leader(Duration::from_millis(ms));
            once(format!("another PD member leads, schedulers unknown for {ms} ms"))
        }
        Kind::PdErrors => {
            let (plane, count) = (aim.plane(), aim.rng.random_range(1..=12));
            world.faults(|faults| faults.pd_errors.insert(plane.clone(), count));
            once(format!("{count} PD calls of {plane} are answered 503"))
        }
        Kind::PdSlow => {
            let (plane, slow, ms) = (aim.plane(), aim.ms(200, 5_000), aim.ms(1_000, 15_000));
            let off = plane.clone();
            let on = |faults: &mut Faults| {
                faults.pd_slow.insert(plane.clone(), Duration::from_millis(slow));
            };
            switch(aim, format!("PD takes {slow} ms for {plane}"), ms, on, move |faults| {
                faults.pd_slow.remove(&off);
            })
        }
        Kind::PdDown => plane_switch(aim, "PD down", (300, 20_000), |faults| &mut faults.pd_down),
        Kind::SafePointRefused => {
            let ms = aim.ms(1_000, 30_000);
            switch(aim, "safe points refused", ms, |f| f.refuse_safe_point = true, |f| f.refuse_safe_point = false)
        }
        Kind::SafePointRemoved => {
            world.remove_safe_points();
            world.tick_gc();
            once("safe points removed, and GC goes on")
        }
        Kind::GcTick => {
            world.tick_gc();
            once("GC round")
        }
        Kind::MinResolvedZero => forced(aim, Ts::ZERO),
        Kind::MinResolvedMax => forced(aim, Ts(u64::MAX)),
        Kind::MinResolvedFrozen => {
            let value = world.min_resolved();
            forced(aim, value)
        }
        _ => None,
    }
}

fn aws(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    match kind {
        Kind::Throttle => ec2(aim, "calls throttled", |faults, count| faults.throttle += count * 3),
        Kind::LostReply => ec2(aim, "create replies lost", |faults, count| faults.lose_replies += count),
        Kind::PartialSet => ec2(aim, "partial sets", |faults, count| faults.partial_sets += count),
        Kind::SnapshotError => ec2(aim, "sets in error", |faults, count| faults.error_sets += count),
        Kind::HiddenSnapshots => {
            let on = |faults: &mut Ec2Faults, rng: &mut SmallRng| {
                faults.hide_new = Duration::from_millis(rng.random_range(2_000..120_000));
                faults.lose_replies += 1;
            };
            ec2_until(aim, "new snapshots hidden, a reply lost", (5_000, 40_000), on, |f| f.hide_new = Duration::ZERO)
        }
        Kind::SlowCreate => {
            let on = |faults: &mut Ec2Faults, rng: &mut SmallRng| {
                faults.slow_create = Duration::from_millis(rng.random_range(1_000..25_000));
            };
            ec2_until(aim, "slow create", (2_000, 30_000), on, |faults| faults.slow_create = Duration::ZERO)
        }
        Kind::VolumeMoved => set_switch(aim, "a volume moved", (500, 20_000), |faults| &mut faults.moved_volume),
        Kind::Ec2Denied => ec2_until(aim, "denied", (500, 20_000), |f, _| f.denied = true, |f| f.denied = false),
        Kind::S3Down => {
            let ms = aim.ms(300, 40_000);
            switch(aim, "S3 down", ms, |faults| faults.s3_down = true, |faults| faults.s3_down = false)
        }
        _ => None,
    }
}

fn network(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let net = &aim.stage.net;
    let (from, to) = match kind {
        Kind::CutShort => (100, 4_000),
        Kind::CutMiddle => (8_000, 17_000),
        Kind::CutLong => (20_000, 90_000),
        Kind::CutDown | Kind::CutUp => (500, 40_000),
        Kind::SlowNet => {
            let (slow, ms) = (aim.ms(200, 3_000), aim.ms(1_000, 15_000));
            net.delay(slow / 4, slow);
            return until(format!("frames take up to {slow} ms"), ms, |stage| stage.net.delay(1, 8));
        }
        _ => return None,
    };
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    match kind {
        Kind::CutDown => net.cut_one_way(&plane, Way::Down),
        Kind::CutUp => net.cut_one_way(&plane, Way::Up),
        _ => net.cut(&plane),
    }
    let healed = plane.clone();
    until(format!("{plane} is cut off"), ms, move |stage| stage.net.heal(&healed))
}

fn start_coordinator(stage: &Stage) {
    if !stage.coordinator_runs() {
        stage.start_coordinator();
    }
}

fn start_plane(stage: &Stage, plane: &str) {
    if !stage.plane_runs(plane) {
        stage.start_plane(plane);
    }
}

fn processes(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let stage = aim.stage;
    let ms = match kind {
        Kind::CoordinatorRestarted | Kind::PlaneRestarted => 0,
        _ => aim.ms(200, 60_000),
    };
    let struck = match kind {
        Kind::CoordinatorKilled | Kind::CoordinatorRestarted => {
            stage.coordinator_runs().then(|| stage.kill_coordinator())?;
            Struck { down: vec![String::new()], ..until("coordinator killed", ms, start_coordinator)? }
        }
        Kind::PlaneKilled | Kind::PlaneRestarted => {
            let plane = aim.plane();
            stage.plane_runs(&plane).then(|| stage.kill_plane(&plane))?;
            let name = plane.clone();
            let undo = move |stage: &Stage| start_plane(stage, &name);
            Struck { down: vec![plane.clone()], ..until(format!("{plane} killed"), ms, undo)? }
        }
        Kind::EverybodyKilled => {
            stage.kill_coordinator();
            aim.planes.iter().for_each(|plane| stage.kill_plane(plane));
            let planes = aim.planes.clone();
            let down = planes.iter().cloned().chain([String::new()]).collect();
            let undo = move |stage: &Stage| {
                planes.iter().for_each(|plane| start_plane(stage, plane));
                start_coordinator(stage);
            };
            Struck { down, ..until("everybody killed", ms, undo)? }
        }
        Kind::CoordinatorDeposed => {
            stage.coordinator_runs().then(|| stage.depose_coordinator())?;
            until("a second coordinator leads", ms, Stage::kill_deposed)?
        }
        Kind::ControlPlaneLost => {
            stage.kill_coordinator();
            stage.control.lose_everything();
            Struck { down: vec![String::new()], ..until("control plane lost", ms, start_coordinator)? }
        }
        _ => return None,
    };
    Some(struck)
}

fn people(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let stage = aim.stage;
    let control = &stage.control;
    match kind {
        Kind::LedgerAnswersLost => {
            let count = aim.rng.random_range(1..=4);
            control.lose_ledger_answers(count);
            once(format!("{count} ledger answers lost"))
        }
        Kind::LedgerDown => {
            control.ledger_down(true);
            until("ledger down", aim.ms(200, 20_000), |stage| stage.control.ledger_down(false))
        }
        Kind::ObjectsDown => {
            control.objects_down(true);
            until("objects down", aim.ms(200, 40_000), |stage| stage.control.objects_down(false))
        }
        Kind::PlaneLedgerDown => plane_switch(aim, "ledger down", (200, 15_000), |faults| &mut faults.ledger_down),
        Kind::ClockJump => {
            let host = if aim.rng.random_bool(0.4) { String::new() } else { aim.plane() };
            let skew = aim.rng.random_range(-400_000..400_000);
            stage.world.faults(|faults| faults.wall_skew.insert(host.clone(), skew));
            once(format!("the clock of {host:?} is {skew} ms off"))
        }
        Kind::SpecEdited => {
            control.get(KEY)?;
            let edited = stage.manifest_of("backup", "elsewhere", "Delete", "");
            control.apply(&edited).ok()?;
            once("another spec is applied")
        }
        Kind::Annotated => {
            control.get(KEY)?;
            control.annotate(KEY, "example.com/note", "hello");
            once("annotated")
        }
        Kind::Deleted => {
            control.get(KEY)?;
            control.delete(KEY);
            once("object deleted")
        }
        Kind::Cancelled => {
            control.get(KEY)?;
            control.annotate(KEY, coordinator::edge::kube::convert::CANCEL_ANNOTATION, "true");
            once("cancelled")
        }
        Kind::Abandoned => {
            control.get(KEY)?;
            let plane = aim.plane();
            control.annotate(KEY, coordinator::edge::kube::convert::ABANDON_ANNOTATION, &plane);
            once(format!("{plane} is given up"))
        }
        _ => None,
    }
}
