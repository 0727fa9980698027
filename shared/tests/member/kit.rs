//! A member on the bench: two stores, three volumes, init plane; short ways to each stage.

use shared::{
    alarm::Alarm,
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, HoldKind, PdEvidence, PreparedStore, PreparedVolume, StoreState},
    ids::{Attempt, BackupUid, ClusterId, InstanceId, SnapshotId, StoreId, VolumeId},
    machine::Machine,
    member::{
        AttemptRecord, AttemptState, Done, Effect, Input, Member, ReadBack, Stage, Timer, Work, coverage::nothing_led,
    },
    reason::{Reason, Refusal},
    request::{Credentials, Limits, MemberSpec, SizeLevel, Storage},
    time::{Instant, Millis, Now, Timestamp},
    ts::Ts,
    wire::{
        Abort, Aborted, Answer, Clean, CleanScope, Complete, Cover, Covered, Order, Prepare, Prepared, Renew, Settle,
        Snapshot,
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
    MemberSpec {
        backup_name: "b".into(),
        backup_namespace: "ns".into(),
        tc_name: "tc".into(),
        tc_namespace: "tidb".into(),
        init,
        storage: Storage {
            provider: "aws".into(),
            region: "eu-west-1".into(),
            bucket: "bucket".into(),
            prefix: "p-az1".into(),
            endpoint: String::new(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
        },
        credentials: Credentials::Default,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}

pub fn store(id: u64, volumes: &[&str]) -> PreparedStore {
    let volume = |volume: &&str| PreparedVolume {
        volume: VolumeId::new(*volume),
        mount_path: "/var/lib/tikv".into(),
        kind: "storage.data-dir".into(),
        zone: "eu-west-1a".into(),
        directories: [].into(),
    };
    PreparedStore {
        store: StoreId(id),
        address: format!("tikv-{id}:20160"),
        start_timestamp: 100,
        instance: InstanceId::new(format!("i-{id}")),
        volumes: volumes.iter().map(volume).collect(),
    }
}

pub fn prepared(round: u32) -> Prepared {
    Prepared {
        round,
        cluster: CLUSTER,
        cluster_version: "8.5.0".into(),
        stores: vec![store(1, &["vol-1a", "vol-1b"]), store(2, &["vol-2"])],
        cluster_stores: cluster_stores(),
        account: "1".into(),
        region: "eu-west-1".into(),
        highest_epoch: Epoch(5),
    }
}

pub fn cluster_stores() -> Vec<ClusterStore> {
    [1, 2]
        .map(|id| ClusterStore {
            store: StoreId(id),
            address: format!("tikv-{id}:20160"),
            state: StoreState::Up,
            start_timestamp: 100,
            uptime: Millis::secs(9_000),
            heartbeat_age: Millis::secs(1),
            version: "8.5.0".into(),
        })
        .to_vec()
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
    Order::Snapshot(Snapshot { commit_ts: COMMIT })
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
    })
}
pub fn clean(scope: CleanScope) -> Order {
    Order::Clean(Clean { spec: spec(true), scope, snapshots: vec![], old_backup: None, taken_back: false })
}

pub fn both() -> BTreeSet<StoreId> {
    BTreeSet::from([StoreId(1), StoreId(2)])
}

pub fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "text")
}

pub fn save(state: AttemptState) -> Effect {
    Effect::Save(Box::new(AttemptRecord { attempt: attempt(), epoch: E, cluster: CLUSTER, state }))
}
pub fn say(answer: Answer) -> Effect {
    Effect::Send { epoch: E, answer }
}
pub fn aborted(cause: Option<Refusal>) -> Answer {
    Answer::Aborted(Aborted { cause })
}
pub fn broken_by(effects: &[Effect]) -> Option<Reason> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send { answer: Answer::Aborted(Aborted { cause: Some(cause) }), .. } => Some(cause.reason),
        _ => None,
    })
}
/// What breaking off looks like from a stage in which `work` runs and something is (not) held.
pub fn breaking(work: &[u64], held: bool, cause: Refusal) -> Vec<Effect> {
    let mut effects: Vec<_> = work.iter().map(|number| Effect::CancelWork { number: *number }).collect();
    effects.push(save(AttemptState::Broken));
    if held {
        effects.push(Effect::LetGo { good: false });
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
        Self { member: Member::new(attempt(), None), at: 0 }
    }

    pub fn restored(state: AttemptState) -> Self {
        let record = AttemptRecord { attempt: attempt(), epoch: E, cluster: CLUSTER, state };
        Self { member: Member::new(attempt(), Some(record)), at: 0 }
    }

    pub fn now(&self) -> Now {
        Now { at: Instant(self.at), wall: Timestamp(0) }
    }

    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.member.step(self.now(), input);
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

    pub fn stage(&self) -> Stage {
        self.member.view(self.now()).stage
    }

    /// A fresh member brought to this stage, everything at time 0. In a stage of work, the work runs.
    pub fn at_stage(stage: Stage) -> Self {
        let mut bench = Self::new();
        type Way = fn(&mut Bench);
        let ways: [(Stage, Way); 18] = [
            (Stage::Preparing, |b| drop(b.order(prepare(1, true)))),
            (Stage::Prepared, |b| drop(b.done(1, Done::Prepared(prepared(1))))),
            (Stage::Reserving, |b| drop(b.order(Order::Reserve))),
            (Stage::Reserved, |b| drop(b.done(2, Done::Reserved))),
            (Stage::HoldingPd, |b| drop(b.order(Order::Settle(Settle::HoldPd)))),
            (Stage::PdHeld, |b| drop(b.done(3, Done::PdHeld { gc_hold: GC, schedulers: vec![] }))),
            (Stage::Asking, |b| drop(b.order(leaders()))),
            (Stage::Settled, |b| drop(b.done(4, Done::Leaders { regions: 9, least_safe_ts: COMMIT }))),
            (Stage::Suspending, |b| drop(b.order(Order::Suspend))),
            (Stage::Suspended, |b| {
                b.held(1);
                b.held(2);
                b.done(5, Done::HoldsOpen);
            }),
            (Stage::Covering, |b| drop(b.order(cover(1)))),
            (Stage::Covered, |b| drop(b.done(6, Done::Covered(covered(1))))),
            (Stage::Snapshotting, |b| drop(b.order(snapshot()))),
            (Stage::Snapshotted, |b| drop(b.done(7, Done::Snapshotted(snapshots())))),
            (Stage::Confirming, |b| drop(b.order(Order::Confirm))),
            (Stage::ReadingBack, |b| {
                b.leased(1, 8);
                b.leased(2, 8);
            }),
            (Stage::Confirmed, |b| drop(b.done(9, Done::ReadBack(seen())))),
            (Stage::Released, |b| {
                b.order(Order::Release);
                b.step(Input::LetGone);
            }),
        ];
        if stage == Stage::Broken {
            bench = Self::at_stage(Stage::Settled);
            bench.order(abort());
            bench.step(Input::LetGone);
        }
        for (reached, way) in ways {
            if reached > stage || stage == Stage::Broken {
                break;
            }
            way(&mut bench);
            assert_eq!(bench.stage(), reached);
        }
        assert_eq!(bench.stage(), stage);
        bench
    }
}

/// The number of the work that runs in a stage, by the order of `at_stage`.
pub fn work_of(stage: Stage) -> Option<u64> {
    Some(match stage {
        Stage::Preparing => 1,
        Stage::Reserving => 2,
        Stage::HoldingPd => 3,
        Stage::Asking => 4,
        Stage::Suspending => 5,
        Stage::Covering => 6,
        Stage::Snapshotting => 7,
        Stage::ReadingBack => 9,
        _ => return None,
    })
}

pub const LIVE: [Stage; 14] = [
    Stage::Reserving,
    Stage::Reserved,
    Stage::HoldingPd,
    Stage::PdHeld,
    Stage::Asking,
    Stage::Settled,
    Stage::Suspending,
    Stage::Suspended,
    Stage::Covering,
    Stage::Covered,
    Stage::Snapshotting,
    Stage::Snapshotted,
    Stage::Confirming,
    Stage::ReadingBack,
];

pub const ALL: [Stage; 20] = [
    Stage::Idle,
    Stage::Preparing,
    Stage::Prepared,
    Stage::Reserving,
    Stage::Reserved,
    Stage::HoldingPd,
    Stage::PdHeld,
    Stage::Asking,
    Stage::Settled,
    Stage::Suspending,
    Stage::Suspended,
    Stage::Covering,
    Stage::Covered,
    Stage::Snapshotting,
    Stage::Snapshotted,
    Stage::Confirming,
    Stage::ReadingBack,
    Stage::Confirmed,
    Stage::Released,
    Stage::Broken,
];

/// True from the first hold on.
pub fn touches(stage: Stage) -> bool {
    (Stage::HoldingPd..=Stage::ReadingBack).contains(&stage)
}

pub fn begins(number: u64, work: Work) -> Effect {
    Effect::Work { number, work }
}
