//! What the record of a claim's holder says about the claim.

use crate::{
    barrier::{Milestone, Record},
    epoch::Epoch,
    ids::ClusterId,
};

/// The record of the backup that a claim names, as it was read from the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HolderRecord {
    /// The ledger did not answer.
    NotRead,
    /// It is not one that this version can read: nothing is known of what it holds.
    Unreadable,
    /// There is none.
    Absent,
    /// It is there.
    Read {
        /// What it says.
        standing: Standing,
        /// It was this process that saved it last.
        ours: bool,
    },
}

/// As much of a record as a claim depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// It has not ended: whoever has it may go on with it.
    pub under_way: bool,
    /// The claim under which its attempt may hold something.
    pub may_hold: Option<(ClusterId, Epoch)>,
}

impl Standing {
    /// Of this record.
    pub fn of(record: &Record) -> Self {
        let holds = matches!(
            record.milestone,
            Milestone::Barrier | Milestone::Snapshotting | Milestone::Certified | Milestone::Aborting
        );
        Self {
            under_way: holds || record.milestone == Milestone::Preparing,
            may_hold: record.cluster.filter(|_| holds).map(|cluster| (cluster, record.epoch)),
        }
    }
}

/// A barrier of this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Barrier {
    pub(super) name: String,
    /// It has saved its record, so that nobody who had it before can; whoever took it over since is another's writer.
    pub(super) saved: bool,
}
