//! I8: no snapshot named by a kept certificate or backupmeta is deleted, except by its backup's own deletion. A backup
//! whose control plane was lost is kept, and so is one whose object was deleted under another policy than Delete.

use super::{Checker, Entry, Look, Write, certified};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::{Record, Stage},
    ids::SnapshotId,
    request::CleanPolicy,
};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Kept {
    for_ever: BTreeSet<SnapshotId>,
    told: BTreeSet<SnapshotId>,
}

/// Its own deletion has begun (or may have), and the policy says that it deletes.
fn is_going(record: &Record) -> bool {
    record.deleting && record.request.clean_policy == CleanPolicy::Delete
}

impl Checker for Kept {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        if let (Entry::Gone, LedgerKey::Record(uid)) = (write.entry, write.key)
            && let Some(record) = write.before.records.get(uid).filter(|record| !is_going(record))
        {
            self.for_ever.extend(certified(record));
        }
        Vec::new()
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let Some(facts) = look.facts else { return Vec::new() };
        let held = look.books.records.values().filter(|record| !is_going(record));
        let held = held.filter(|record| matches!(record.stage, Stage::Certified | Stage::Complete));
        let mut kept: BTreeSet<SnapshotId> = held.flat_map(certified).collect();
        kept.extend(self.for_ever.iter().cloned());
        let deleted = |id: &SnapshotId| facts.snapshots.get(id).is_none_or(|snapshot| snapshot.deleted);
        let lost: Vec<_> = kept.into_iter().filter(|id| deleted(id) && !self.told.contains(id)).collect();
        self.told.extend(lost.iter().cloned());
        lost.into_iter().map(|id| format!("{id} is named by a kept certificate and was deleted")).collect()
    }
}
