//! How much a backup added to what EC2 keeps, as far as planes have told.

use serde::{Deserialize, Serialize};

/// Of one plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Increments {
    /// How many of its certified snapshots are done with, from the first on.
    pub done: u32,
    /// Bytes, in whole blocks, that these hold and the ones before them do not.
    pub bytes: u64,
    /// Of how many of these it could not be told.
    #[serde(default, skip_serializing_if = "crate::skip::zero")]
    pub unknown: u32,
}
