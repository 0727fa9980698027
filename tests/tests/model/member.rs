//! What a member is told and what it wants done, in short forms that are cheap to copy, hash and look up.

use crate::{
    facts::{AttemptKey, CLUSTER, GC_HOLD, covered, prepared, read_back, snapshot, store},
    kept::{Kept, Stepped, Steps, key_of, step},
    world::Message,
};
use shared::{
    epoch::Epoch,
    evidence::HoldKind,
    machine::Machine,
    member::{AttemptRecord, Done, Effect, Input, Member, SnapshotCalls, Timer, Work},
    reason::{Reason, Refusal},
    time::{Millis, Now},
    wire::{CleanReport, Completed, Measured},
};

thread_local! {
    static STEPS: Steps<Member, HashedEffect> = Steps::default();
}

/// What a member is told, with its key made only once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    Ordered(Kept<Message>),
    Superseded(Epoch),
    Done(u64, Outcome),
    Held(u64),
    Leased { number: u64, valid: bool },
    Broken,
    HoldsDropped,
    Expired(Timer),
}

/// What came of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Prepared { round: u32, highest: Epoch },
    Reserved,
    PdHeld,
    PdRenewed,
    Leaders,
    HoldsOpen,
    Covered { round: u32, hole: bool },
    Snapshotted,
    ReadBack,
    Completed,
    Measured { from: u32 },
    Cleaned,
    Refused(Reason),
}

impl Outcome {
    fn result(self, planes: usize, p: usize, by: AttemptKey) -> Result<Done, Refusal> {
        Ok(match self {
            Self::Prepared { round, highest } => Done::Prepared(prepared(p, planes, round, highest)),
            Self::Reserved => Done::Reserved,
            Self::PdHeld => Done::PdHeld { gc_hold: GC_HOLD, schedulers: Vec::new() },
            Self::PdRenewed => Done::PdRenewed,
            Self::Leaders => Done::Leaders { regions: 1, least_safe_ts: GC_HOLD },
            Self::HoldsOpen => Done::HoldsOpen,
            Self::Covered { round, hole } => Done::Covered(covered(p, planes, round, hole)),
            Self::Snapshotted => {
                let taken = snapshot(p, by);
                let calls = SnapshotCalls::Known([taken.snapshot.clone()].into());
                Done::Snapshotted { snapshots: vec![taken], accepted: Vec::new(), calls }
            }
            Self::ReadBack => Done::ReadBack(read_back(p, planes)),
            Self::Completed => Done::Completed(Completed::default()),
            Self::Measured { from } => Done::Measured(Measured { from, ..Measured::default() }),
            Self::Cleaned => Done::Cleaned(CleanReport::default()),
            Self::Refused(reason) => return Err(Refusal::new(reason, "it went wrong")),
        })
    }
}

impl Said {
    fn input(&self, planes: usize, p: usize, by: AttemptKey) -> Input {
        match self {
            Self::Ordered(word) => match &**word {
                Message::Down { epoch, order, .. } => Input::Order { epoch: *epoch, order: order.clone() },
                Message::Up { .. } | Message::Superseded { .. } => Input::LinkLost,
            },
            Self::Superseded(epoch) => Input::Superseded { cluster: CLUSTER, epoch: *epoch },
            Self::Done(number, outcome) => Input::Done { number: *number, result: outcome.result(planes, p, by) },
            Self::Held(_) => Input::StoreHeld { store: store(p), age: Millis(0), kind: HoldKind::Full },
            Self::Leased { number, valid } => Input::StoreLeased { store: store(p), number: *number, valid: *valid },
            Self::Broken => {
                let refusal = Refusal::new(Reason::StoreHoldLost, "the stream was taken over");
                Input::StoreBroken { store: store(p), refusal }
            }
            Self::HoldsDropped => Input::HoldsDropped,
            Self::Expired(timer) => Input::Expired(*timer),
        }
    }
}

/// An effect, with what is large in it hashed once.
#[derive(Clone, Debug)]
pub(crate) enum HashedEffect {
    Save(Kept<AttemptRecord>),
    Say(Kept<Message>),
    Work(u64, Kept<Work>),
    Cancel(u64),
    Renew(u64),
    DropHolds,
    Alarm,
}

impl HashedEffect {
    fn of(p: usize, by: AttemptKey, effect: Effect) -> Self {
        match effect {
            Effect::Save(record) => Self::Save(Kept::new(*record)),
            Effect::Send { epoch, answer } => Self::Say(Kept::new(Message::Up { plane: p, of: by, epoch, answer })),
            Effect::Work { number, work } => Self::Work(number, Kept::new(work)),
            Effect::CancelWork { number } => Self::Cancel(number),
            Effect::RenewStores { number, .. } => Self::Renew(number),
            Effect::DropHolds { .. } => Self::DropHolds,
            Effect::Alarm(_) => Self::Alarm,
        }
    }
}

/// What the step of a member would be.
pub(crate) fn look(
    planes: usize,
    p: usize,
    by: AttemptKey,
    member: &Kept<Member>,
    said: &Said,
) -> Stepped<Member, HashedEffect> {
    step(&STEPS, member, key_of(&(planes, p, said)), |member| {
        let effects = member.step(Now::default(), said.input(planes, p, by));
        effects.into_iter().map(|effect| HashedEffect::of(p, by, effect)).collect()
    })
}
