//! What a plane is doing, for people.

use serde::{Deserialize, Serialize};

/// What a plane is doing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PlanePhase {
    /// Looking.
    Preparing,
    /// PD held, leaders asked.
    Settling,
    /// Leases being taken.
    Suspending,
    /// Regions being proved.
    Covering,
    /// CreateSnapshots under way.
    Snapshotting,
    /// Last renewals.
    Confirming,
    /// Letting go.
    Releasing,
    /// Snapshots on their way to S3.
    Completing,
    /// How much they added is counted.
    Measuring,
    /// Deleting.
    Cleaning,
}

/// See [`Answer::Progress`](super::Answer::Progress).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Progress {
    /// In which phase.
    pub phase: PlanePhase,
    /// Units done (stores, regions, volumes or percent points, as `text` says).
    pub done: u64,
    /// Units in all; 0 if not known.
    pub total: u64,
    /// One line: what is waited for, the slowest part named.
    pub text: String,
}
