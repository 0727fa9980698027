//! What befalls TiKV and PD.

use super::aim::{Aim, Injected, once, plane_switch, set_switch, switch, until};
use crate::{rig::Rig, sim::kinds::Kind, world::Faults};
use rand::Rng;
use shared::{ids::StoreId, ts::Ts};
use std::{collections::BTreeSet, time::Duration};

pub(super) fn tikv(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let world = &aim.rig.world;
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
            until(format!("store {store} does not hear of its successors"), ms, |rig| {
                rig.world.hear_of_elections();
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
        Kind::RaftElsewhere => with_a_restart(aim, "its raft log on a local disk", |faults| &mut faults.raft_elsewhere),
        Kind::Compacting => with_a_restart(aim, "as 6.5.8", |faults| &mut faults.compacting_tikv),
        Kind::ForeignVolume => {
            let (store, ms) = (aim.store(), aim.ms(200, 20_000));
            world.attach_foreign(store);
            until(format!("a foreign volume is at the node of store {store}"), ms, move |rig| {
                rig.world.detach_foreign(store);
            })
        }
        Kind::StoreOffline => set_switch(aim, "offline", (500, 20_000), |faults| &mut faults.offline),
        Kind::StoreDisconnected => set_switch(aim, "disconnected", (500, 20_000), |faults| &mut faults.disconnected),
        _ => None,
    }
}

/// What a process is for the whole of its life: it comes with a restart, and goes with one.
fn with_a_restart(aim: &mut Aim<'_>, how: &str, of: fn(&mut Faults) -> &mut BTreeSet<StoreId>) -> Option<Injected> {
    let (store, down, ms) = (aim.store(), aim.ms(50, 4_000), aim.ms(8_000, 60_000));
    let restart = move |rig: &Rig, on: bool| {
        rig.world.faults(|faults| if on { of(faults).insert(store) } else { of(faults).remove(&store) });
        rig.world.restart_store(store, Duration::from_millis(down));
    };
    restart(aim.rig, true);
    until(format!("store {store} is restarted, down {down} ms, {how}"), ms, move |rig| restart(rig, false))
}

pub(super) fn pd(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let world = &aim.rig.world;
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
