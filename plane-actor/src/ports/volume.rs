//! EBS volumes, as far as a restore asks about them. None is ever made.

use shared::{ids::SnapshotId, wire::VolumeKind};

/// A volume that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVolume {
    /// Of which snapshot.
    pub snapshot: SnapshotId,
    /// In which zone.
    pub zone: String,
    /// What type, how fast.
    pub kind: VolumeKind,
    /// VolumeInitializationRate, MiB/s.
    pub rate: Option<u32>,
}

/// A zone of the Region that the account may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// As this account calls it.
    pub name: String,
    /// EC2's word: `available`, `impaired`, … (`facts/restore.md` §5.3).
    pub state: String,
}

/// One page of DescribeVolumes, of which nothing is kept but the sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSum {
    /// GiB.
    pub gib: u64,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}
