//! How planes divide what one account may call.

use crate::limiter::Budget;
use serde::{Deserialize, Serialize};

/// A part of the calls that planes of one account and Region make at a time (`facts/aws.md` A7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallShare {
    /// Calls of this plane.
    pub calls: u32,
    /// Of how many.
    pub of: u32,
}

/// Which part of its accounts' calls a plane takes from now on, over all backups: replaces whatever was said before. Where an
/// order says another part, of its one backup, the smaller of both counts. Only to planes that said they know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Division {
    /// What is not named is the plane's own.
    pub parts: Vec<AccountPart>,
}

/// Of one account, Region and action.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountPart {
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// Calls of what.
    pub action: Divided,
    /// The part.
    pub share: CallShare,
}

/// What is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Divided {
    /// All volumes of an instance in one call.
    CreateSnapshots,
    /// One volume; who gets no part makes no such call.
    CreateSnapshot,
    /// One snapshot.
    DeleteSnapshot,
    /// ListChangedBlocks, and ListSnapshotBlocks beside it.
    ListBlocks,
}

/// What an account may call to take snapshots, as the configuration of one of its planes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallBudgets {
    /// CreateSnapshots: all volumes of an instance in one call.
    pub sets: Budget,
    /// CreateSnapshot: one volume. `None`: the plane's role does not allow it, or none of its instances has one volume alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_volume: Option<Budget>,
}

impl CallBudgets {
    /// The smaller of both; a bucket that only one of them knows is that one's.
    #[must_use]
    pub fn at_most(self, other: Self) -> Self {
        let one_volume = match (self.one_volume, other.one_volume) {
            (Some(own), Some(other)) => Some(own.at_most(other)),
            (own, other) => own.or(other),
        };
        Self { sets: self.sets.at_most(other.sets), one_volume }
    }
}
