//! A barrier of three planes with one store each, and answers of planes that behave.

use shared::{
    barrier::{Barrier, Effect, Input, Record, Timer, View},
    epoch::Epoch,
    evidence::{
        AcceptedSnapshot, ClusterStore, CoverDigest, Evidence, HoldKind, PdEvidence, PreparedStore, PreparedVolume,
        StoreEvidence,
    },
    ids::{Attempt, ClusterId, InstanceId, PlaneId, SnapshotId, StoreId, VolumeId},
    machine::Machine,
    reason::Reason,
    region_set::RegionSet,
    request::Request,
    tiling::Tiling,
    time::{Instant, Millis, Now, Timestamp},
    ts::Ts,
    wire::{
        Aborted, Answer, CallAccepted, CleanReport, Cleaned, Completed, Confirmed, Covered, Order, Prepared, Recovered,
        Released, Reserved, Settled, Snapshotted, Suspended,
    },
};

pub const PLANES: [&str; 3] = ["az1", "az2", "az3"];
pub const CLUSTER: ClusterId = ClusterId(7);
pub const GC_HOLD: Ts = Ts(1_000);
pub const CEILING: Ts = Ts(9_000);
const CUTS: [(&[u8], &[u8]); 3] = [(b"", b"g"), (b"g", b"p"), (b"p", b"")];

pub fn plane(i: usize) -> PlaneId {
    PlaneId::from(PLANES[i])
}

/// The safe_ts that plane `i` reports: az2 has the least.
pub fn safe_ts(i: usize) -> Ts {
    Ts([3_000, 2_000, 4_000][i])
}

pub fn request() -> Request {
    Request::example(&PLANES)
}

pub fn stores(i: usize) -> Vec<PreparedStore> {
    let directories = [("storage.data-dir", ""), ("raft-engine.dir", "/raft-engine")]
        .map(|(key, below)| (key.to_owned(), format!("/var/lib/tikv{below}")));
    vec![PreparedStore {
        instance: InstanceId::new(format!("i-{i}")),
        volumes: vec![PreparedVolume {
            directories: directories.into(),
            ..PreparedVolume::example(&format!("vol-{i}"))
        }],
        ..PreparedStore::example(i as u64 + 1, &[])
    }]
}

pub fn cluster_stores() -> Vec<ClusterStore> {
    (1..=3).map(ClusterStore::example).collect()
}

pub fn prepared(i: usize, round: u32) -> Prepared {
    Prepared {
        round,
        cluster: CLUSTER,
        cluster_version: "8.5.0".into(),
        stores: stores(i),
        cluster_stores: cluster_stores(),
        account: "1".into(),
        region: "eu-west-1".into(),
        highest_epoch: Epoch(4),
        budgets: None,
    }
}

pub fn accepted(i: usize) -> Vec<CallAccepted> {
    vec![CallAccepted { instance: InstanceId::new(format!("i-{i}")), after: Millis(10 + i as u64) }]
}

pub fn cover(i: usize) -> CoverDigest {
    let (start, end) = CUTS[i];
    CoverDigest {
        regions: 1,
        tiling: Tiling::of_region(start, end).unwrap(),
        least_safe_ts: safe_ts(i),
        set: RegionSet::of_region(i as u64, 1, 1, start, end),
    }
}

pub fn snapshots(i: usize) -> Vec<AcceptedSnapshot> {
    vec![AcceptedSnapshot {
        volume: VolumeId::new(format!("vol-{i}")),
        snapshot: SnapshotId::new(format!("snap-{i}")),
        instance: InstanceId::new(format!("i-{i}")),
        start_time: Timestamp(5),
    }]
}

pub fn evidence(i: usize, epoch: Epoch) -> Evidence {
    Evidence {
        epoch,
        cluster: CLUSTER,
        stores: vec![StoreEvidence {
            store: StoreId(i as u64 + 1),
            address: format!("tikv-{}:20160", i + 1),
            start_timestamp: 100,
            renewals_sent: 3,
            renewals_valid: 3,
            confirmed: true,
            kind: HoldKind::Full,
        }],
        cover: cover(i),
        snapshots: snapshots(i),
        commit_ts: safe_ts(1),
        pd: (i == 0).then(|| PdEvidence {
            gc_hold: GC_HOLD,
            gc_safe_point: GC_HOLD,
            min_resolved_ts: Ts(2_500),
            ts_ceiling: Some(CEILING),
            stores: cluster_stores(),
        }),
        set_after: None,
    }
}

/// A machine under test, with a clock that only the test moves.
pub struct Kit {
    pub machine: Barrier,
    pub now: Now,
}

impl Kit {
    pub fn new(request: Request) -> Self {
        Self::of(Record::new(request, Timestamp(1)))
    }

    pub fn of(record: Record) -> Self {
        Self { machine: Barrier::new(record), now: Now { at: Instant(1_000), wall: Timestamp(10) } }
    }

    pub fn view(&self) -> View {
        self.machine.view()
    }

    pub fn later(&mut self, millis: u64) {
        self.now.at = self.now.at + Millis(millis);
        self.now.wall = Timestamp(self.now.wall.0 + millis as i64);
    }

    pub fn raw(&mut self, input: Input) -> Vec<Effect> {
        let before = self.machine.clone();
        let effects = self.machine.step(self.now, input);
        assert_eq!(self.machine.check_step(&before, &effects), Ok(()), "{:#?}", self.machine);
        assert!(self.view().alarms.is_empty(), "alarm: {:?}", self.view().alarms);
        effects
    }

    /// Feeds an input; the effects as short lines.
    pub fn feed(&mut self, input: Input) -> Vec<String> {
        self.raw(input).iter().map(line).collect()
    }

    pub fn up(&mut self, i: usize) -> Vec<String> {
        self.feed(Input::PlaneUp(plane(i)))
    }

    pub fn says(&mut self, i: usize, answer: Answer) -> Vec<String> {
        let record = self.view().record;
        self.says_under(i, record.attempt_id(), record.epoch, answer)
    }

    pub fn says_under(&mut self, i: usize, attempt: Attempt, epoch: Epoch, answer: Answer) -> Vec<String> {
        self.feed(Input::Answer { plane: plane(i), attempt, epoch, answer })
    }

    /// The next timer runs out, at its time.
    pub fn expire(&mut self, timer: Timer) -> Vec<String> {
        loop {
            let (at, next) = self.machine.deadline().expect("a timer runs");
            self.now.at = self.now.at.max(at);
            let lines = self.feed(Barrier::expired(next));
            if next == timer {
                return lines;
            }
            assert_eq!(next, Timer::Renew, "only renewals may come before {timer:?}");
        }
    }

    /// All three planes give the good answer to the present step; the effects of the last answer.
    pub fn all(&mut self, answer: impl Fn(usize) -> Answer) -> Vec<String> {
        let first = self.says(0, answer(0));
        assert!(first.is_empty(), "one answer of three moves nothing: {first:?}");
        assert!(self.says(1, answer(1)).is_empty(), "two answers of three move nothing");
        self.says(2, answer(2))
    }

    /// Everybody is here and the claim is granted with this epoch.
    pub fn claimed(&mut self) -> Vec<String> {
        self.feed(Input::Start);
        for i in 0..3 {
            self.up(i);
        }
        self.all(|i| Answer::Prepared(prepared(i, 1)));
        self.feed(Input::Claimed(Epoch(5)))
    }

    pub fn suspending(&mut self) -> Vec<String> {
        self.claimed();
        self.all(|_| Answer::Reserved(Reserved {}));
        self.says(0, pd_held());
        self.all(leaders)
    }

    pub fn covering(&mut self) -> Vec<String> {
        self.suspending();
        self.all(|_| Answer::Suspended(Suspended { stores: 1 }))
    }

    pub fn snapshotting(&mut self) -> Vec<String> {
        self.covering();
        self.all(|i| covered(i, 1))
    }

    pub fn confirming(&mut self) -> Vec<String> {
        self.snapshotting();
        self.all(|i| Answer::Snapshotted(Snapshotted { snapshots: snapshots(i), accepted: accepted(i) }))
    }

    pub fn releasing(&mut self) -> Vec<String> {
        self.confirming();
        self.all(confirmed)
    }

    pub fn completing(&mut self) -> Vec<String> {
        self.releasing();
        self.all(|_| Answer::Released(Released {}))
    }

    pub fn complete(&mut self) -> Vec<String> {
        self.completing();
        self.says(0, done());
        self.says(1, done());
        self.says(2, done())
    }
}

pub fn pd_held() -> Answer {
    Answer::Settled(Settled::PdHeld { gc_hold: GC_HOLD, schedulers: vec![] })
}
pub fn leaders(i: usize) -> Answer {
    Answer::Settled(Settled::Leaders { regions: 1, least_safe_ts: safe_ts(i) })
}
pub fn covered(i: usize, round: u32) -> Answer {
    Answer::Covered(Covered { round, digest: cover(i), missing: vec![] })
}
pub fn confirmed(i: usize) -> Answer {
    Answer::Confirmed(Confirmed { evidence: evidence(i, Epoch(5)) })
}
pub fn done() -> Answer {
    Answer::Completed(Completed { full_bytes: 10, ..Completed::default() })
}
pub fn aborted() -> Answer {
    Answer::Aborted(Aborted { cause: None })
}
pub fn clean() -> Answer {
    Answer::Cleaned(Cleaned { report: CleanReport::default() })
}
pub fn told(i: usize) -> Answer {
    Answer::Recovered(Recovered::Evidence(evidence(i, Epoch(5))))
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::Save(record) => format!("save {:?}", record.milestone),
        Effect::Claim { floor, .. } => format!("claim above {floor}"),
        Effect::EndClaim { .. } => "end claim".into(),
        Effect::Send { plane, epoch, order, .. } => format!("{plane} @{epoch} {}", order_name(order)),
        Effect::Alarm(alarm) => format!("alarm {alarm:?}"),
        Effect::Gone => "gone".into(),
    }
}

fn order_name(order: &Order) -> String {
    match order {
        Order::Prepare(p) => format!("Prepare {}", p.round),
        Order::Reserve => "Reserve".into(),
        Order::Settle(step) => format!("Settle {step:?}"),
        Order::Suspend => "Suspend".into(),
        Order::Cover(c) => format!("Cover {}{}", c.round, if c.name_missing { " naming" } else { "" }),
        Order::Snapshot(s) => format!("Snapshot {}", s.commit_ts),
        Order::Confirm => "Confirm".into(),
        Order::Release => "Release".into(),
        Order::Abort(a) => format!("Abort {}", a.reason),
        Order::Renew(r) => format!("Renew {}", r.number),
        Order::Recover => "Recover".into(),
        Order::Complete(c) => format!("Complete {}", c.commit_ts),
        Order::Measure(m) => format!("Measure {}+{}", m.from, m.snapshots.len()),
        Order::Clean(c) => format!("Clean {:?} {}", c.scope, c.snapshots.len()),
    }
}

/// "az1 @5 X", "az2 @5 X", "az3 @5 X"
pub fn to_all(what: &str) -> Vec<String> {
    PLANES.iter().map(|p| format!("{p} {what}")).collect()
}

/// No certificate came of it, and the failure names what is not proved.
pub fn refused(kit: &Kit, named: &str) {
    let record = kit.view().record;
    assert_eq!(record.certificate, None, "{named}");
    let failure = record.failure.unwrap();
    assert_eq!(failure.reason, Reason::EvidenceBroken);
    assert!(failure.message.contains(named), "{} should name {named}", failure.message);
}
