//! What a restored cluster stands on: volumes, and the images that they were made of.

use super::disk::Disk;
use shared::ids::SnapshotId;

/// An EBS volume as EC2 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ebs {
    /// Of which it was made.
    pub snapshot: Option<SnapshotId>,
    /// EC2's word.
    pub state: String,
    /// Where.
    pub zone: String,
}

/// Why no store starts on some volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing lies on them.
    Empty,
    /// What lies on them is not one whole store. For people.
    Misfit(String),
}

/// Whoever keeps volumes and images.
pub trait Beneath {
    /// The volume that a PersistentVolume names; `None`: there is none.
    fn volume(&self, handle: &str) -> Option<Ebs>;
    /// What lies on these volumes together, which one pod mounts, as they were made.
    ///
    /// # Errors
    /// No store starts there.
    fn disk(&self, handles: &[String]) -> Result<Disk, Unfit>;
}
