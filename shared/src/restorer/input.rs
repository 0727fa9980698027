//! What the machine is told, and what it wants done.

use super::ledger::RestoreEntry;
use crate::{
    epoch::Epoch,
    ids::{ClusterId, RestoreUid},
    reason::Refusal,
    wire::{Restore, RestoreAnswer, RestoreOrder, RestoreProgress, RestoreSpec},
};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The coordinator orders something. `highest`: what this plane has obeyed for that cluster, by any backup or restore.
    Order {
        /// What.
        order: Box<Restore>,
        /// See above.
        highest: Epoch,
    },
    /// A piece of work ended.
    Done {
        /// Which.
        number: u64,
        /// With what.
        result: Result<Done, Refusal>,
    },
    /// A piece of work has come so far.
    Progress {
        /// Which.
        number: u64,
        /// How far.
        progress: RestoreProgress,
    },
}

/// What work brings home: the answer to its order.
pub type Done = Box<RestoreAnswer>;

/// Carried out in order. `Save` is a fence: nothing after it happens before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Store this restore's entry in the plane's ledger.
    Save(RestoreEntry),
    /// Tell the coordinator, if a session is up; it repeats what it has no answer to.
    Send {
        /// The epoch of the order answered.
        epoch: Epoch,
        /// What.
        answer: RestoreAnswer,
    },
    /// Begin; ends in `Done` with the same number, unless cancelled.
    Work {
        /// Grows.
        number: u64,
        /// What.
        work: Box<Work>,
    },
    /// Stop a piece of work; its `Done` may still come and is ignored.
    CancelWork {
        /// Which.
        number: u64,
    },
}

/// What is done outside the machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    /// Of which restore.
    pub restore: RestoreUid,
    /// The epoch it is done under.
    pub epoch: Epoch,
    /// PD's cluster id of the target.
    pub cluster: Option<ClusterId>,
    /// What it works by.
    pub spec: RestoreSpec,
    /// What.
    pub order: RestoreOrder,
    /// This plane has begun to touch something for this restore before: what is there may be its own.
    pub again: bool,
}
