//! States that cannot happen. Each variant carries the proof why not; every test asserts that none was raised.

use crate::{epoch::Epoch, ids::PlaneId};
use serde::{Deserialize, Serialize};

/// An impossible state was seen: a fault in Isochron, never in the world. It is kept in status and counted; it never
/// steers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Alarm {
    /// A claim was granted with an epoch that is not above what planes have obeyed.
    /// Reason: the floor that we send with the claim is the maximum over all `Prepared`, and the claimer answers
    /// `Epoch::above(floor, claim)`.
    ClaimBelowFloor {
        /// What was granted.
        granted: Epoch,
        /// What it had to be above.
        floor: Epoch,
    },
    /// Evidence of a plane was accepted and then contradicted by a second, different one under the same epoch.
    /// Reason: a plane saves its evidence before it sends it and never makes it twice.
    EvidenceChanged {
        /// Whose.
        plane: PlaneId,
    },
    /// A member was told that work ended which it never began.
    /// Reason: the actor answers only with the tag of the work it was given.
    WorkUnknown {
        /// What ended.
        what: String,
    },
    /// A certificate was about to name a snapshot twice.
    /// Reason: snapshot ids are unique in EC2, and E4 pairs them with volumes one to one.
    SnapshotNamedTwice {
        /// Its id.
        snapshot: String,
    },
    /// A release was due although not all planes had confirmed.
    /// Reason: only `Confirming` emits `Release`, and only when the set of missing confirmations is empty.
    ReleaseBeforeConfirm,
}
