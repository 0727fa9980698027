//! What the machine is told, and what it wants done.

use super::{record::Record, request::RestoreCleanPolicy};
use crate::{
    epoch::Epoch,
    ids::{ClusterId, PlaneId},
    reason::Refusal,
    wire::{Restore, RestoreAnswer},
};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// First of all.
    Start,
    /// A plane has a session; one that had one has another.
    PlaneUp(PlaneId),
    /// It has none any more.
    PlaneDown(PlaneId),
    /// A plane answered.
    Answer {
        /// Which.
        plane: PlaneId,
        /// Under which epoch.
        epoch: Epoch,
        /// What.
        answer: RestoreAnswer,
    },
    /// The claim is ours, under this epoch.
    Claimed(Epoch),
    /// Somebody else holds it; it will be told when it is free.
    ClaimTaken(String),
    /// It cannot be had.
    ClaimRefused(Refusal),
    /// It is free.
    ClaimFree,
    /// A person wants it to end.
    Cancel,
    /// The object is deleted; what becomes of what was made.
    Delete(RestoreCleanPolicy),
    /// A person says that what was refused is to be tried again at once.
    TryAgain,
    /// A timer is due.
    Expired(Timer),
}

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The stage takes too long.
    Stage,
    /// What was refused is ordered again.
    Again,
}

/// Carried out in order. `Save` is a fence: nothing after it happens before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Store the record.
    Save(Box<Record>),
    /// Tell a plane, if it has a session.
    Send {
        /// Which.
        plane: PlaneId,
        /// What.
        order: Box<Restore>,
    },
    /// Ask for the claim of the cluster that is restored into.
    Claim {
        /// Which.
        cluster: ClusterId,
        /// The highest epoch that planes have obeyed.
        floor: Epoch,
    },
    /// Give it back.
    EndClaim {
        /// Of which cluster.
        cluster: ClusterId,
    },
    /// Nothing is left that the object stands for: it may go, and the record with it.
    Gone,
}
