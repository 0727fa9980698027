//! What status, console and metrics see of a barrier. Derived, never stored.

use super::record::Record;
use crate::{alarm::Alarm, ids::PlaneId, time::Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the machine stands, exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Waiting for planes, then for `Prepared`.
    Preparing,
    /// Waiting for the claim of the TiDB cluster.
    Claiming,
    /// Lock objects.
    Reserving,
    /// PD held, leaders asked.
    Settling,
    /// Leases.
    Suspending,
    /// Regions proved.
    Covering,
    /// CreateSnapshots.
    Snapshotting,
    /// Last renewals, evidence.
    Confirming,
    /// Letting go, the good end.
    Releasing,
    /// After a restart: asking planes for evidence.
    Recovering,
    /// Snapshots on their way to S3.
    Completing,
    /// Done.
    Complete,
    /// Letting go and cleaning, the bad end.
    Aborting,
    /// Ended badly.
    Failed,
    /// Deleting.
    Cleaning,
    /// Gone.
    Cleaned,
}

/// Which clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Clock {
    /// Waiting for planes to connect.
    Connect,
    /// Preparing.
    Prepare,
    /// PD held.
    Settle,
    /// First `Suspend` to last `Covered`.
    Reach,
    /// Last `Covered` to last release.
    Hold,
}

/// One plane as the coordinator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaneView {
    /// A session is up.
    pub connected: bool,
    /// The present step's answer is in.
    pub answered: bool,
    /// Units done of `total` (0: unknown).
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// Its own words.
    pub text: String,
}

/// A snapshot of the machine, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// The durable part.
    pub record: Record,
    /// Where it stands.
    pub step: Step,
    /// Which clock runs and what is left of it.
    pub clock: Option<(Clock, Millis)>,
    /// Per plane.
    pub planes: BTreeMap<PlaneId, PlaneView>,
    /// What is waited for, one sentence.
    pub waiting_for: String,
    /// Must be empty.
    pub alarms: Vec<Alarm>,
}
