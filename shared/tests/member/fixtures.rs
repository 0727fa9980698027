//! A member on the bench: two stores, three volumes, init plane; short ways to each phase.

pub use crate::phases::{ALL, LIVE, touches, work_of};
use shared::{
    alarm::Alarm,
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, HoldKind, PdEvidence, PreparedStore},
    ids::{Attempt, BackupUid, ClusterId, InstanceId, SnapshotId, StoreId, VolumeId},
    machine::Machine,
    member::{
        AttemptRecord, AttemptState, CallsMade, Done, Effect, Input, Member, Phase, ReadBack, SnapshotCalls, Timer,
        Work, coverage::nothing_led,
    },
    reason::{Reason, Refusal},
    request::MemberSpec,
    time::{Instant, Millis, Now, Timestamp},
    ts::Ts,
    wire::{
        Abort, Aborted, Answer, CallAccepted, Clean, CleanScope, Complete, Completed, Cover, Covered, Measure, Order,
        Prepare, Prepared, Renew, Settle, Snapshot,
    },
};
use std::collections::{BTreeMap, BTreeSet};

pub const E: Epoch = Epoch(7);
pub const CLUSTER: ClusterId = ClusterId(42);
pub const GC: Ts = Ts(1_000);
pub const COMMIT: Ts = Ts(5_000);

pub fn attempt() -> Attempt {
    Attempt { backup: BackupUid::new("uid"), number: 1 }
}

pub fn spec(init: bool) -> MemberSpec {
    MemberSpec { init, ..MemberSpec::example() }
}

pub fn prepared(round: u32) -> Prepared {
    Prepared {
        round,
        cluster: CLUSTER,
        cluster_version: "8.5.0".into(),
        stores: vec![PreparedStore::example(1, &["vol-1a", "vol-1b"]), PreparedStore::example(2, &["vol-2"])],
        cluster_stores: cluster_stores(),
        account: "1".into(),
        region: "eu-west-1".into(),
        highest_epoch: Epoch(5),
        budgets: None,
    }
}

pub fn cluster_stores() -> Vec<ClusterStore> {
    [1, 2].map(ClusterStore::example).to_vec()
}

pub fn snapshots() -> Vec<AcceptedSnapshot> {
    [("vol-1a", "i-1"), ("vol-1b", "i-1"), ("vol-2", "i-2")]
        .map(|(volume, instance)| AcceptedSnapshot {
            volume: VolumeId::new(volume),
            snapshot: SnapshotId::new(format!("snap-of-{volume}")),
            instance: InstanceId::new(instance),
            start_time: Timestamp(77),
        })
        .to_vec()
}

pub fn taken(snapshots: Vec<AcceptedSnapshot>) -> Done {
    let calls = SnapshotCalls::Known(snapshots.iter().map(|taken| taken.snapshot.clone()).collect());
    Done::Snapshotted { snapshots, accepted: accepted(), calls }
}

pub fn accepted() -> Vec<CallAccepted> {
    [("i-1", 12), ("i-2", 15)]
        .map(|(instance, after)| CallAccepted { instance: InstanceId::new(instance), after: Millis(after) })
        .to_vec()
}

/// On the bench no time passes.
pub fn made(snapshots: SnapshotCalls) -> CallsMade {
    CallsMade { snapshots, last: Instant(0) }
}

pub fn made_all() -> CallsMade {
    made(SnapshotCalls::Known(snapshots().into_iter().map(|taken| taken.snapshot).collect()))
}

pub fn made_none() -> CallsMade {
    made(SnapshotCalls::None)
}

pub fn seen() -> ReadBack {
    ReadBack {
        stores: cluster_stores(),
        attached: BTreeMap::from([
            (VolumeId::new("vol-1a"), Some(InstanceId::new("i-1"))),
            (VolumeId::new("vol-1b"), Some(InstanceId::new("i-1"))),
            (VolumeId::new("vol-2"), Some(InstanceId::new("i-2"))),
        ]),
        pd: Some(PdEvidence {
            gc_hold: GC,
            gc_safe_point: Ts(900),
            min_resolved_ts: Ts(4_000),
            ts_ceiling: Some(Ts(u64::MAX)),
            stores: cluster_stores(),
        }),
        set: None,
    }
}

pub fn covered(round: u32) -> Covered {
    Covered { round, digest: nothing_led(), missing: vec![] }
}

pub fn prepare(round: u32, init: bool) -> Order {
    Order::Prepare(Prepare { round, spec: spec(init) })
}
pub fn leaders() -> Order {
    Order::Settle(Settle::Leaders { gc_hold: GC })
}
pub fn cover(round: u32) -> Order {
    Order::Cover(Cover { round, name_missing: false })
}
pub fn snapshot() -> Order {
    Order::Snapshot(Snapshot { commit_ts: COMMIT, share: None, one_volume: None })
}
pub fn abort() -> Order {
    Order::Abort(Abort { reason: Reason::Cancelled })
}
pub fn renew(number: u64) -> Order {
    Order::Renew(Renew { number })
}
pub fn complete() -> Order {
    Order::Complete(Complete {
        spec: spec(true),
        cluster: CLUSTER,
        cluster_version: "8.5.0".into(),
        commit_ts: COMMIT,
        cluster_stores: 2,
        stores: vec![],
        snapshots: vec![],
        certificate: "{}".into(),
        packed: None,
    })
}
pub fn measure(from: u32) -> Order {
    Order::Measure(Measure { spec: spec(true), from, snapshots: snapshots(), share: None })
}
pub fn completed() -> Completed {
    Completed { full_bytes: 5, measures: true, ..Completed::default() }
}
pub fn clean(scope: CleanScope) -> Order {
    Order::Clean(Clean::of(spec(true), scope))
}

pub fn both() -> BTreeSet<StoreId> {
    BTreeSet::from([StoreId(1), StoreId(2)])
}

pub fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "text")
}

pub fn kept(state: AttemptState) -> AttemptRecord {
    AttemptRecord { attempt: attempt(), epoch: E, cluster: CLUSTER, state, taken_back: false }
}
pub fn save(state: AttemptState) -> Effect {
    Effect::Save(Box::new(kept(state)))
}
/// What the end of an attempt makes of it that had reached this phase.
pub fn save_ended(phase: Phase) -> Effect {
    let taken_back = matches!(phase, Phase::Confirmed | Phase::Released);
    Effect::Save(Box::new(AttemptRecord { taken_back, ..kept(AttemptState::Broken) }))
}
pub fn say(answer: Answer) -> Effect {
    Effect::Send { epoch: E, answer }
}
pub fn aborted(cause: Option<Refusal>) -> Answer {
    Answer::Aborted(Aborted { cause })
}
pub fn reasons(effects: &[Effect]) -> Vec<Reason> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { answer: Answer::Refused(refusal), .. } => Some(refusal.reason),
            _ => None,
        })
        .collect()
}
pub fn broken_by(effects: &[Effect]) -> Option<Reason> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send { answer: Answer::Aborted(Aborted { cause: Some(cause) }), .. } => Some(cause.reason),
        _ => None,
    })
}
/// What breaking off looks like from a phase in which `work` runs and something is (not) held.
pub fn breaking(work: &[u64], held: bool, cause: Refusal) -> Vec<Effect> {
    let mut effects: Vec<_> = work.iter().map(|number| Effect::CancelWork { number: *number }).collect();
    effects.push(save(AttemptState::Broken));
    if held {
        effects.push(Effect::DropHolds { confirmed: false });
    }
    effects.push(say(aborted(Some(cause))));
    effects
}

pub struct Bench {
    pub member: Member,
    pub at: u64,
}

impl Bench {
    pub fn new() -> Self {
        Self::new_at(0)
    }

    pub fn new_at(at: u64) -> Self {
        Self { member: Member::new(attempt(), None, Instant(at)), at }
    }

    pub fn restored(state: AttemptState) -> Self {
        Self::kept(kept(state))
    }

    pub fn kept(record: AttemptRecord) -> Self {
        Self { member: Member::new(attempt(), Some(record), Instant(0)), at: 0 }
    }

    pub fn now(&self) -> Now {
        Now { at: Instant(self.at), wall: Timestamp(0) }
    }

    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let before = self.member.clone();
        let effects = self.member.step(self.now(), input);
        assert_eq!(self.member.check_step(&before, &effects), Ok(()), "{:#?}", self.member);
        if !effects.iter().any(|effect| matches!(effect, Effect::Alarm(Alarm::WorkUnknown { .. }))) {
            assert_eq!(self.member.view(self.now()).alarms.len(), 0, "alarm without effect");
        }
        effects
    }

    pub fn order(&mut self, order: Order) -> Vec<Effect> {
        let epoch = if matches!(order, Order::Prepare(_)) { Epoch::NONE } else { E };
        self.step(Input::Order { epoch, order })
    }

    pub fn done(&mut self, number: u64, result: Done) -> Vec<Effect> {
        self.step(Input::Done { number, result: Ok(result) })
    }

    pub fn fail(&mut self, number: u64, reason: Reason) -> Vec<Effect> {
        self.step(Input::Done { number, result: Err(refusal(reason)) })
    }

    /// Gives the order and ends its work well; the answer is thrown away.
    pub fn did(&mut self, order: Order, done: Done) {
        let effects = self.order(order);
        let number = effects.iter().find_map(|effect| match effect {
            Effect::Work { number, .. } => Some(*number),
            _ => None,
        });
        self.done(number.expect("work begins"), done);
    }

    pub fn held(&mut self, store: u64) -> Vec<Effect> {
        self.step(Input::StoreHeld { store: StoreId(store), age: Millis(0), kind: HoldKind::Full })
    }

    pub fn leased(&mut self, store: u64, number: u64) -> Vec<Effect> {
        self.step(Input::StoreLeased { store: StoreId(store), number, valid: true })
    }

    pub fn expire(&mut self, timer: Timer) -> Vec<Effect> {
        self.step(Input::Expired(timer))
    }

    pub fn phase(&self) -> Phase {
        self.member.view(self.now()).phase
    }

    /// A fresh member brought to this phase, everything at time 0. In a phase of work, the work runs.
    pub fn at_phase(phase: Phase) -> Self {
        let mut bench = Self::new();
        type Way = fn(&mut Bench);
        let ways: [(Phase, Way); 18] = [
            (Phase::Preparing, |b| drop(b.order(prepare(1, true)))),
            (Phase::Prepared, |b| drop(b.done(1, Done::Prepared(prepared(1))))),
            (Phase::Reserving, |b| drop(b.order(Order::Reserve))),
            (Phase::Reserved, |b| drop(b.done(2, Done::Reserved))),
            (Phase::HoldingPd, |b| drop(b.order(Order::Settle(Settle::HoldPd)))),
            (Phase::PdHeld, |b| drop(b.done(3, Done::PdHeld { gc_hold: GC, schedulers: vec![] }))),
            (Phase::Asking, |b| drop(b.order(leaders()))),
            (Phase::Settled, |b| drop(b.done(4, Done::Leaders { regions: 9, least_safe_ts: COMMIT }))),
            (Phase::Suspending, |b| drop(b.order(Order::Suspend))),
            (Phase::Suspended, |b| {
                b.held(1);
                b.held(2);
                b.done(5, Done::HoldsOpen);
            }),
            (Phase::Covering, |b| drop(b.order(cover(1)))),
            (Phase::Covered, |b| drop(b.done(6, Done::Covered(covered(1))))),
            (Phase::Snapshotting, |b| drop(b.order(snapshot()))),
            (Phase::Snapshotted, |b| drop(b.done(7, taken(snapshots())))),
            (Phase::Confirming, |b| drop(b.order(Order::Confirm))),
            (Phase::ReadingBack, |b| {
                b.leased(1, 8);
                b.leased(2, 8);
            }),
            (Phase::Confirmed, |b| drop(b.done(9, Done::ReadBack(seen())))),
            (Phase::Released, |b| {
                b.order(Order::Release);
                b.step(Input::HoldsDropped);
            }),
        ];
        if phase == Phase::Broken {
            bench = Self::at_phase(Phase::Settled);
            bench.order(abort());
            bench.step(Input::HoldsDropped);
        }
        for (reached, way) in ways {
            if reached > phase || phase == Phase::Broken {
                break;
            }
            way(&mut bench);
            assert_eq!(bench.phase(), reached);
        }
        assert_eq!(bench.phase(), phase);
        bench
    }
}

pub fn begins(number: u64, work: Work) -> Effect {
    Effect::Work { number, work }
}
