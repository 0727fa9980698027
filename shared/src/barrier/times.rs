//! What is told of time: how long the parts of a barrier took, and when a backup did what.

use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// Lengths by the coordinator's monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BarrierTimes {
    /// First `Settle` to last `Settled`.
    pub settle: Option<Millis>,
    /// First `Suspend` to last `Covered`.
    pub reach: Option<Millis>,
    /// Last `Covered` to last `Released`.
    pub hold: Option<Millis>,
}

/// Wall-clock moments of the backup, for status only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Times {
    /// First seen.
    pub started: Option<Timestamp>,
    /// All snapshots accepted and everything released.
    pub snapshots_created: Option<Timestamp>,
    /// Complete or Failed.
    pub completed: Option<Timestamp>,
    /// The object was first seen to be deleted.
    #[serde(default)]
    pub deleted: Option<Timestamp>,
    /// Last clean failure.
    pub clean_failed: Option<Timestamp>,
    /// Cleaned.
    pub cleaned: Option<Timestamp>,
}
