//! What was seen while the data of a restored cluster was brought back: what a restore's certificate rests on (RE3 to RE6,
//! `facts/restore.md` §6.6).

use crate::{
    ids::{ClusterId, StoreId},
    tiling::Tiling,
    ts::Ts,
};
use serde::{Deserialize, Serialize};

/// A store of the restored cluster, and which process it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetStore {
    /// As its disk says: the number that it had in the backup.
    pub store: StoreId,
    /// `metapb.Store.address`
    pub address: String,
    /// `metapb.Store.start_timestamp` (Unix seconds): another value means another process.
    pub start_timestamp: i64,
}

/// All stores are there, in recovery mode, and nobody else is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Met {
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// Every store that PD knows.
    pub stores: Vec<MetStore>,
}

/// Every region has a leader that has applied all of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Led {
    /// Regions led.
    pub regions: u64,
    /// Their contribution.
    pub tiling: Tiling,
    /// Rounds of elections.
    pub rounds: u32,
    /// The largest id on the volumes: PD hands out none up to here.
    pub largest_id: u64,
}

/// Back to what, and written as what: chosen once in the life of a restore, and saved before the first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FlashbackTimes {
    /// Data as of this: the backup's commitTs.
    pub version: Ts,
    /// The flashback's start_ts.
    pub start_ts: Ts,
    /// Its commit_ts: above every version on the volumes.
    pub commit_ts: Ts,
}

/// Every region was flashed back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RolledBack {
    /// Regions, as they were at the end.
    pub regions: u64,
    /// Their contribution.
    pub tiling: Tiling,
}

/// What was found after the roll-back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checked {
    /// Regions led.
    pub regions: u64,
    /// Their contribution.
    pub tiling: Tiling,
    /// Regions that are still in flashback.
    pub in_flashback: u64,
    /// Regions of which the content at both moments was added up.
    pub compared: u64,
    /// Of these: what a reader sees at the backup's moment is not what one sees now.
    pub different: u64,
    /// Keys that were added up.
    pub keys: u64,
    /// Their bytes, values included.
    pub bytes: u64,
    /// Every store that PD knows.
    pub stores: Vec<MetStore>,
}

/// All stores run as they always will, and every region has a leader that nobody appointed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Normal {
    /// Every store that PD knows.
    pub stores: Vec<MetStore>,
    /// Regions led.
    pub regions: u64,
    /// Their contribution.
    pub tiling: Tiling,
}
