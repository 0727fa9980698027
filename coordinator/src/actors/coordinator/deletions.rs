//! What is known of deletions under way, and whose they are.

use shared::ids::BackupUid;
use std::collections::{BTreeMap, BTreeSet};

/// Whose deletion it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Of this object.
    Own,
    /// Of what it lives in.
    Torn(String),
}

/// Of all objects.
#[derive(Default)]
pub(super) struct Deletions {
    /// Judged once per object: what holds of it then cannot change.
    pub(super) causes: BTreeMap<BackupUid, Cause>,
    /// Seen since the question under way was put, by namespace: its answer may be older than their deletion.
    pub(super) unasked: BTreeMap<String, BTreeSet<BackupUid>>,
    pub(super) asking: BTreeSet<String>,
}

impl Deletions {
    pub(super) fn forget(&mut self, uid: &BackupUid) {
        self.causes.remove(uid);
    }
}
