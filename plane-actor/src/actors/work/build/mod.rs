//! The volumes of a restore: made of snapshots, looked after until they can be used, and taken away again. Nothing is kept of
//! them but what EC2 keeps: tokens and tags find all that an earlier process asked for (`facts/restore.md` §5.1).

mod asking;
mod choice;
mod ec2;
mod making;
mod progress;
mod taking;

pub use making::make;
pub use progress::{Initialization, initialized};
pub use taking::{Stays, TakenAway, take_away};

use crate::ports::CreateVolume;
use shared::ids::{SnapshotId, VolumeId};
use std::time::Duration;

/// What one restore wants of this plane's EC2.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// `metadata.uid` of the VolumeRestore.
    pub restore: &'a str,
    /// Counts from 1 within the restore. The same attempt with the same volumes may be wished for again at any time.
    pub attempt: u32,
    /// Each snapshot once.
    pub volumes: &'a [WishedVolume],
    /// All of it takes no longer. Longer than the quiet time of the plane's configuration, or a volume that vanished is not
    /// told from one that EC2 does not show yet.
    pub limit: Duration,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishedVolume {
    /// Of what, where, how fast.
    pub call: CreateVolume,
    /// As `shared::restore::tags::VolumesOf::tags` makes them.
    pub tags: Vec<(String, String)>,
}

/// A volume that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Of which it was made.
    pub snapshot: SnapshotId,
    /// Which.
    pub volume: VolumeId,
    /// Where.
    pub zone: String,
    /// GiB.
    pub gib: u64,
    /// How many times it was made: 2, where the first one ended in error.
    pub nth: u32,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildProgress {
    /// EC2 has accepted so many.
    pub asked: usize,
    /// Of these: `available`.
    pub done: usize,
    /// All that are wished for.
    pub of: usize,
}
