//! A restore of two planes with a store and a snapshot each, and planes that answer as they should.

use shared::{
    epoch::Epoch,
    ids::{BackupUid, ClusterId, PlaneId, StoreId},
    machine::Machine,
    recovery::{Checked, Led, Met, MetStore, Normal, RolledBack},
    restoring::{Effect, Input, Record, RestoreRequest, Restoring, Stage},
    tiling::Tiling,
    time::{Instant, Now, Timestamp},
    ts::Ts,
    wire::{Built, LookedAt, PlacedVolume, Restore, RestoreAnswer, RestoreOrder, Undone},
};

pub(crate) const PLANES: [&str; 2] = ["az1", "az2"];
pub(crate) const CLUSTER: ClusterId = ClusterId(77);
pub(crate) const COMMIT: Ts = Ts::compose(1_000_000, 0);
pub(crate) const CEILING: Ts = Ts::compose(1_000_500, 0);
pub(crate) const START: Ts = Ts::compose(2_000_000, 1);
pub(crate) const FLASH: Ts = Ts::compose(2_000_000, 2);

pub(crate) fn now(seconds: u64) -> Now {
    let wall = i64::try_from(seconds).unwrap() * 1000;
    Now { at: Instant(seconds * 1000), wall: Timestamp(1_700_000_000_000 + wall) }
}

pub(crate) fn request() -> RestoreRequest {
    RestoreRequest::example(&PLANES)
}

pub(crate) fn plane(name: &str) -> PlaneId {
    PlaneId::new(name)
}

fn number(plane: &PlaneId) -> u64 {
    if plane.as_str() == PLANES[0] { 1 } else { 2 }
}

pub(crate) fn looked(plane: &PlaneId, drill: bool) -> LookedAt {
    let number = number(plane);
    LookedAt {
        findings: Vec::new(),
        backup: BackupUid::new("backup-1"),
        attempt: 1,
        commit_ts: COMMIT,
        ceiling: Some(CEILING),
        proven: true,
        certificate: "c0ffee".to_owned(),
        cluster_stores: 2,
        stores: vec![StoreId(number)],
        snapshots: vec![format!("snap-{number}").as_str().into()],
        gib: 10,
        account: "1".to_owned(),
        region: "eu".to_owned(),
        target: (!drill).then_some(CLUSTER),
        now: (!drill).then_some(Ts::compose(1_500_000, 0)),
        highest_epoch: Epoch(4),
    }
}

pub(crate) fn met(generation: i64) -> Vec<MetStore> {
    [1, 2]
        .map(|store| MetStore { store: StoreId(store), address: format!("tikv-{store}"), start_timestamp: generation })
        .into()
}

/// As a plane answers that does all that it is told.
pub(crate) fn answer(plane: &PlaneId, order: &Restore) -> RestoreAnswer {
    let number = number(plane);
    let whole = Tiling::whole();
    match &order.order {
        RestoreOrder::Look => RestoreAnswer::Looked(Box::new(looked(plane, order.spec.target.is_none()))),
        RestoreOrder::Mark { above } => RestoreAnswer::Marked { now: Ts(above.0 + 1) },
        RestoreOrder::Build => RestoreAnswer::Built(Built { volumes: 1, gib: 10, ..Built::default() }),
        RestoreOrder::Warm => RestoreAnswer::Warmed,
        RestoreOrder::Place => RestoreAnswer::Placed {
            volumes: vec![PlacedVolume {
                store: StoreId(number),
                snapshot: format!("snap-{number}").as_str().into(),
                volume: format!("vol-{number}").as_str().into(),
                claim: "tikv-shop-new-tikv-0".to_owned(),
            }],
        },
        RestoreOrder::Start => RestoreAnswer::Started,
        RestoreOrder::Meet { .. } => RestoreAnswer::Met(Met { cluster: CLUSTER, stores: met(100) }),
        RestoreOrder::Lead { .. } => RestoreAnswer::Led(Led { regions: 3, tiling: whole, rounds: 1, largest_id: 900 }),
        RestoreOrder::Time { .. } => RestoreAnswer::Timed { start_ts: START, commit_ts: FLASH },
        RestoreOrder::RollBack(_) => RestoreAnswer::RolledBack(RolledBack { regions: 3, tiling: whole }),
        RestoreOrder::Check { .. } => RestoreAnswer::Checked(Checked {
            regions: 3,
            tiling: whole,
            compared: 3,
            stores: met(100),
            ..Checked::default()
        }),
        RestoreOrder::Unmark => RestoreAnswer::Unmarked,
        RestoreOrder::Restart { .. } => RestoreAnswer::Restarted { pods: 1 },
        RestoreOrder::Settle { .. } => RestoreAnswer::Settled(Normal { stores: met(200), regions: 3, tiling: whole }),
        RestoreOrder::Finish { .. } => RestoreAnswer::Finished,
        RestoreOrder::Undo { .. } => RestoreAnswer::Undone(Undone { deleted: 1, left: Vec::new() }),
    }
}

/// What happened, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Saved(Stage),
    Sent(PlaneId, Box<Restore>),
    Claimed,
    GivenBack,
    Gone,
}

/// A machine with planes that are there, and what it wanted so far.
pub(crate) struct Play {
    pub(crate) machine: Restoring,
    pub(crate) told: Vec<Told>,
    pub(crate) saved: Record,
    pub(crate) seconds: u64,
}

impl Play {
    pub(crate) fn new(request: RestoreRequest) -> Self {
        Self::of(Record::new(request, now(0).wall))
    }

    /// From a record that was found.
    pub(crate) fn of(record: Record) -> Self {
        let mut play = Self { machine: Restoring::new(record.clone()), told: Vec::new(), saved: record, seconds: 0 };
        play.step(Input::Start);
        for name in PLANES {
            play.step(Input::PlaneUp(plane(name)));
        }
        play
    }

    pub(crate) fn step(&mut self, input: Input) {
        self.seconds += 1;
        for effect in self.machine.step(now(self.seconds), input) {
            let told = match effect {
                Effect::Save(record) => {
                    self.saved = *record;
                    Told::Saved(self.saved.stage)
                }
                Effect::Send { plane, order } => Told::Sent(plane, order),
                Effect::Claim { cluster, floor } => {
                    assert_eq!((cluster, floor), (CLUSTER, Epoch(4)));
                    Told::Claimed
                }
                Effect::EndClaim { .. } => Told::GivenBack,
                Effect::Gone => Told::Gone,
            };
            self.told.push(told);
        }
    }

    /// Orders that were not answered yet, in the order in which they were sent.
    pub(crate) fn orders(&mut self) -> Vec<(PlaneId, Box<Restore>)> {
        let told = std::mem::take(&mut self.told);
        told.into_iter()
            .filter_map(|told| match told {
                Told::Sent(plane, order) => Some((plane, order)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn say(&mut self, plane: &PlaneId, order: &Restore, answer: RestoreAnswer) {
        self.step(Input::Answer { plane: plane.clone(), epoch: order.epoch, answer });
    }

    /// Answers all that is asked, and grants the claim, until `stage` is reached or nothing more is asked.
    pub(crate) fn until(&mut self, stage: Stage) {
        for _ in 0..100 {
            if self.machine.record().stage == stage {
                return;
            }
            if self.told.contains(&Told::Claimed) {
                self.told.clear();
                self.step(Input::Claimed(Epoch(5)));
                continue;
            }
            for (plane, order) in self.orders() {
                if self.machine.record().stage == stage {
                    return;
                }
                let answer = answer(&plane, &order);
                self.say(&plane, &order, answer);
            }
        }
        assert_eq!(self.machine.record().stage, stage, "{:?}", self.machine.record().failure);
    }
}
