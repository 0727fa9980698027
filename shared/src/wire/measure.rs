//! How much each snapshot added to what EC2 keeps of its volume: asked once the backup is Complete, in parts. Nothing of a
//! backup waits for it.

use super::CallShare;
use crate::{evidence::AcceptedSnapshot, request::MemberSpec};
use serde::{Deserialize, Serialize};

/// Most snapshots of one order. 16 volumes of 4 TiB that were written anew are 13,000 pages (`facts/aws.md` A6), five
/// minutes at EC2's rate: so much at most is asked again after a restart.
pub const MEASURED_AT_ONCE: usize = 16;

/// See [`Order::Measure`](super::Order::Measure).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measure {
    /// A plane that restarted knows nothing.
    pub spec: MemberSpec,
    /// How many of this member's certified snapshots come before these.
    pub from: u32,
    /// At most [`MEASURED_AT_ONCE`].
    pub snapshots: Vec<AcceptedSnapshot>,
    /// What this plane may take of what its account may list. `None`: what its configuration leaves it.
    pub share: Option<CallShare>,
}

/// What these snapshots hold that the one before, of the same volume, does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measured {
    /// As ordered.
    pub from: u32,
    /// Bytes in whole blocks, of all that could be told.
    pub bytes: u64,
    /// Of how many it could not be told.
    pub unknown: u32,
    /// Why not, for people; at most 4 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
