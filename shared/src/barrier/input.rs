//! What the machine is told, what it wants done, and what it waits for.

use super::record::Record;
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    ids::{Attempt, ClusterId, PlaneId},
    reason::Refusal,
    request::CleanPolicy,
    verify::Verification,
    wire::{Answer, Order},
};
use std::collections::BTreeSet;

/// Facts, already parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// First input of a machine, new or recovered.
    Start,
    /// A session of this plane is up (again).
    PlaneUp(PlaneId),
    /// Its last session ended.
    PlaneDown(PlaneId),
    /// A plane said something.
    Answer {
        /// Who.
        plane: PlaneId,
        /// Of which attempt.
        attempt: Attempt,
        /// Under which epoch.
        epoch: Epoch,
        /// What.
        answer: Answer,
    },
    /// The claim was granted and saved, with this epoch.
    Claimed(Epoch),
    /// Another attempt holds it; the text names the holder.
    ClaimTaken(String),
    /// It cannot be granted, whoever holds it.
    ClaimRefused(Refusal),
    /// It may be free now: prepare anew.
    ClaimFree,
    /// A save was refused that the ledger will never take, and this machine began anew from what was saved before.
    Unsaved(Refusal),
    /// A person cancelled the backup.
    Cancel,
    /// The object is being deleted, and this is its clean policy now: the safer one of then and now wins.
    Delete(CleanPolicy),
    /// The object vanished, and nobody had deleted it.
    ObjectLost,
    /// A person has mended something and does not want to wait: what was refused is tried again now.
    TryAgain,
    /// Planes that an admin gives up knowingly.
    Abandon(BTreeSet<PlaneId>),
    /// Its planes looked at it, and this came of it.
    Verified(Verification),
    /// The process ends before the barrier does: abort while somebody is there to say so.
    Stop,
    /// A timer ran out.
    Expired(Timer),
}

/// What the shell does, in order. `Save` is a fence: nothing after it happens before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Store the record by compare-and-set.
    Save(Box<Record>),
    /// Ask for the claim of a TiDB cluster; answered by `Claimed` or `ClaimTaken`.
    Claim {
        /// Of which.
        cluster: ClusterId,
        /// The epoch granted must be above this.
        floor: Epoch,
    },
    /// Give the claim back, if this attempt holds it.
    EndClaim {
        /// Of which.
        cluster: ClusterId,
    },
    /// Send an order; dropped silently when no session is up (it is sent again on `PlaneUp`).
    Send {
        /// To whom.
        plane: PlaneId,
        /// Of which attempt.
        attempt: Attempt,
        /// Under which epoch.
        epoch: Epoch,
        /// What.
        order: Order,
    },
    /// An impossible state was seen.
    Alarm(Alarm),
    /// Everything that had to go is gone: let the object go, then the record.
    Gone,
}

/// Timers, one doc line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A known plane did not connect.
    Connect,
    /// Preparing or reserving took too long.
    Prepare,
    /// Regions that did not tile the key space are asked for again.
    Cover,
    /// The settle clock ran out.
    Settle,
    /// The reach clock ran out.
    Reach,
    /// The hold clock ran out.
    Hold,
    /// The cap over all three ran out.
    Total,
    /// Planes' leases are due for renewal.
    Renew,
    /// A plane has been away for longer than its own lease: it has let go.
    PlaneLost,
    /// Every hold granted has ended by itself by now.
    HoldsGone,
    /// Planes did not tell their evidence after a restart.
    Recover,
    /// Repeat an order that a plane refused for a reason that may pass (completing, cleaning).
    Again,
    /// A new attempt may start.
    Retry,
    /// Ask once more how much a backup added, or leave it unknown.
    Measure,
    /// Answers that came together are saved together.
    Save,
}

/// One step of this machine, under way.
pub(super) type Step = crate::machine::Step<Effect>;
