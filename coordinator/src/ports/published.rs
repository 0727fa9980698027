//! What an object's own status says of it.

use shared::{
    ids::{BackupUid, PlaneId},
    time::Timestamp,
    ts::Ts,
};

/// What stands in a status that is the object's own. The ledger decides where it has a record; this is for where it has
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `status.phase`
    pub phase: String,
    /// Whose words they are.
    pub by: By,
    /// `status.barrier.attempt`; 1 where there is none.
    pub attempt: u32,
    /// There is a certificate in it.
    pub certified: bool,
    /// `status.timeStarted`
    pub started: Option<Timestamp>,
    /// `status.timeCompleted`
    pub completed: Option<Timestamp>,
    /// `status.backups`, those that name a plane.
    pub rows: Vec<PublishedRow>,
}

/// Who wrote a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A coordinator of ours. Planes, tags and S3 know the backup by this uid.
    Us {
        /// The object's own uid, or that of the object which it took the backup over from.
        backup: BackupUid,
    },
    /// br-federation-manager.
    OldManager,
}

/// One row of `status.backups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRow {
    /// `k8sClusterName`
    pub plane: PlaneId,
    /// `backupPath`; empty where there is none.
    pub path: String,
    /// `commitTs`
    pub commit_ts: Option<Ts>,
    /// Its phase is Complete.
    pub complete: bool,
    /// `backupSize`
    pub bytes: u64,
}

impl Published {
    /// It began: something of it may be there.
    pub fn has_begun(&self) -> bool {
        !matches!(self.phase.as_str(), "" | "Invalid") || self.started.is_some() || !self.rows.is_empty()
    }

    /// Nothing of it runs any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Complete" | "Failed" | "CleanFailed" | "Cleaned")
    }
}
