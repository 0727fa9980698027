//! Deleting: what goes, and what a plane says of it.

use super::CallShare;
use crate::{ids::SnapshotId, request::MemberSpec, ts::Ts};
use serde::{Deserialize, Serialize};

/// See [`Order::Clean`](super::Order::Clean).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clean {
    /// A plane that restarted knows nothing.
    pub spec: MemberSpec,
    /// What to delete.
    pub scope: CleanScope,
    /// Snapshots that the record names; more are found by backupmeta and by tags.
    pub snapshots: Vec<SnapshotId>,
    /// The old manager made this backup: its `backupmeta` is the only list of its snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_backup: Option<OldBackup>,
    /// Of an attempt: its certificate was saved and taken back, or a person deletes the backup under a policy that deletes.
    /// Without this an attempt that S3 proves is kept: the record that asks may be older than the backup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// Of a whole backup whose record is lost, under a policy that keeps what ended well: where S3 proves it, it is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unless_proven: bool,
    /// EC2 is asked also for what it refused lately: the plane has a new session, or a person says so, and somebody may
    /// have mended what was in the way. Without it the plane waits as long as it said in its report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub afresh: bool,
    /// This plane's part of what its account may delete; absent: no other plane of this backup has to delete there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<CallShare>,
}

impl Clean {
    /// Nothing more is known: no snapshot is named, and nobody took anything back.
    pub fn of(spec: MemberSpec, scope: CleanScope) -> Self {
        Self {
            spec,
            scope,
            snapshots: Vec::new(),
            old_backup: None,
            taken_back: false,
            unless_proven: false,
            afresh: false,
            share: None,
        }
    }
}

/// What is known of a plane's part in a backup of the old manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OldBackup {
    /// `commitTs` of its row in the status, which must be `resolved_ts` of the `backupmeta`.
    pub commit_ts: Option<Ts>,
    /// Its row says Complete: a missing `backupmeta` is then no proof that nothing is left.
    pub complete: bool,
}

/// How far a `Clean` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CleanScope {
    /// An attempt that failed: its snapshots and the objects it reserved.
    Attempt,
    /// A certified attempt's surplus: snapshots that carry its tags but are not in `snapshots` (which are kept).
    Surplus,
    /// The whole backup, because its object was deleted and the policy says so.
    Backup,
}

/// What was deleted and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CleanReport {
    /// Snapshots deleted (or found gone).
    pub snapshots: u64,
    /// S3 objects deleted.
    pub objects: u64,
    /// What could not be deleted, why, and what to do about it; at most 20 lines.
    pub left: Vec<String>,
    /// Nothing of what is left goes without a person, or before its time (a lock, a rule): asking again soon is in vain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_person: bool,
    /// What a person should know although nothing is left to do: a lock that was not there, snapshots kept by a Recycle
    /// Bin, ids that EC2 did not show; at most 20 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// [`Clean::old_backup`] was obeyed. A plane of an older version does not know it, and finds nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old_backup: bool,
}

/// Cleaning ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cleaned {
    /// The particulars.
    pub report: CleanReport,
}
