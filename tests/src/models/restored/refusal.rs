//! What a store answers to a call of a region that it does not carry out.

use plane_actor::ports::FlashedBack;
use shared::{ids::RegionId, ts::Ts};
use std::fmt;

/// A region error, or the lock that is in a reader's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// Nothing listens there.
    Down,
    /// Somebody else leads it, or nobody.
    NotLeader,
    /// There is no copy of it.
    NotFound,
    /// It has another epoch.
    Epoch,
    /// The call is meant for another store.
    Store,
    /// The call is meant for another peer.
    Peer,
    /// It does not have all of these keys.
    Keys,
    /// Its leader has not applied all of its log.
    NotApplied,
    /// A merge is half done.
    Merging,
    /// What it proposes is not committed.
    NoQuorum,
    /// It is in a flashback of this start_ts.
    InFlashback(Ts),
    /// It was not prepared for this flashback.
    NotPrepared,
    /// A transaction of this start_ts has left a lock.
    Locked(Ts),
}

impl RegionError {
    /// As the edge tells a flashback of it.
    #[must_use]
    pub fn flashed_back(self, region: RegionId) -> FlashedBack {
        let text = format!("{self}: region {region}");
        match self {
            Self::NotLeader | Self::NotFound | Self::Epoch | Self::Store | Self::Peer | Self::Keys => {
                FlashedBack::Moved(text)
            }
            Self::NotPrepared => FlashedBack::NotPrepared,
            Self::Down | Self::NotApplied | Self::Merging | Self::NoQuorum | Self::InFlashback(_) | Self::Locked(_) => {
                FlashedBack::Again(text)
            }
        }
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "connection refused",
            Self::NotLeader => "not leader",
            Self::NotFound => "region not found",
            Self::Epoch => "epoch not match",
            Self::Store => "store not match",
            Self::Peer => "mismatch peer id",
            Self::Keys => "key not in region",
            Self::NotApplied => "read index not ready",
            Self::Merging => "proposal in merging mode",
            Self::NoQuorum => "proposal timed out",
            Self::InFlashback(_) => "flashback in progress",
            Self::NotPrepared => "flashback not prepared",
            Self::Locked(_) => "locked",
        })
    }
}

/// Why a flashback did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unflashed {
    /// The region is not as it was asked for.
    Region(RegionError),
    /// The error that TiKV puts into its answer.
    Answer(String),
    /// Its process has ended.
    Broken,
}
