//! Calls that have time: deletions, and looks at which blocks a snapshot added.

use super::Place;
use crate::ids::PlaneId;

/// What one plane has to call for one backup, until it is through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Who.
    pub plane: PlaneId,
    /// Where.
    pub place: Place,
    /// DeleteSnapshot.
    pub deletions: u32,
    /// Snapshots to list the blocks of.
    pub listings: u32,
}
