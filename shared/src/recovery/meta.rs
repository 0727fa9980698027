//! What a store says of a copy of a region.

use crate::ids::RegionId;

/// One copy, as TiKV tells it in recovery mode (`facts/restore.md` §3.4). It says neither who the region's members are nor what is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Which region.
    pub region: RegionId,
    /// The largest peer id of the region, whoever's it is.
    pub peer: u64,
    /// Term of the hard state: that of the last election that this copy took part in, which may be above that of its last entry.
    pub term: u64,
    /// Index of the last entry of its log.
    pub last_index: u64,
    /// Version of the region's range.
    pub version: u64,
    /// Begin of the range, as encoded; empty: before all keys.
    pub start: Vec<u8>,
    /// End of the range, as encoded; empty: behind all keys.
    pub end: Vec<u8>,
}

impl Meta {
    /// How far it has come. Of two copies the one with less can be brought up to the other, and not the other way round.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.term, self.last_index)
    }
}
