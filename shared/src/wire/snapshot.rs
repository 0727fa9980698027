//! The order for snapshots, and what EC2 accepted.

use super::CallShare;
use crate::{evidence::AcceptedSnapshot, ids::InstanceId, time::Millis, ts::Ts};
use serde::{Deserialize, Serialize};

/// See `Order::Snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// Fixed once per attempt, saved before this is sent (I4).
    pub commit_ts: Ts,
    /// This plane's part of what its account may call; absent: no other plane of this backup works there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<CallShare>,
    /// Instances with exactly one volume may go through CreateSnapshot as well, which has a bucket of its own: this plane's
    /// part of that; absent: they may not, or need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_volume: Option<CallShare>,
}

/// EC2 accepted every call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshotted {
    /// One per volume prepared.
    pub snapshots: Vec<AcceptedSnapshot>,
    /// When each call was accepted, for people; planes of an earlier version do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<CallAccepted>,
}

/// One CreateSnapshots call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallAccepted {
    /// Of which instance.
    pub instance: InstanceId,
    /// How long after the plane began, by its own monotonic clock.
    pub after: Millis,
}
