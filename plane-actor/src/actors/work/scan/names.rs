//! What the coordinator knows of, and how an attempt is called here.

use shared::{ids::BackupUid, wire::Known};
use std::collections::BTreeMap;

/// A backup and one attempt of it; 0: not told.
pub(super) type Key = (BackupUid, u32);

/// What has a record or an object.
pub(super) struct Names(BTreeMap<BackupUid, Option<u32>>);

impl Names {
    pub(super) fn of(known: &[Known]) -> Self {
        Self(known.iter().map(|one| (one.backup.clone(), one.attempt)).collect())
    }

    /// Is this attempt's part of the backup named?
    pub(super) fn has(&self, (backup, attempt): &Key) -> bool {
        self.0.get(backup).is_some_and(|only| only.is_none_or(|only| only == *attempt))
    }
}
