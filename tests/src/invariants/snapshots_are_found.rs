//! I10: every snapshot ever created is named by a record, a certificate or a backupmeta, or is found by its tags and
//! deleted. So each carries its tags from the create call on, and in the end only what somebody keeps is left.

use super::checker::{Checker, End, Entry, Look, Write, certified};
use crate::{control::Life, world::SnapshotFact};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::{Milestone, Record},
    ids::{BackupUid, SnapshotId},
    request::CleanPolicy,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Found {
    looked: usize,
    /// Whose record is gone, and whose policy deleted when it began: by snapshot.
    gone: BTreeMap<SnapshotId, (BackupUid, bool)>,
}

impl Checker for Found {
    fn name(&self) -> &'static str {
        "I10"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        if let (Entry::Gone, LedgerKey::Record(uid)) = (write.entry, write.key)
            && let Some(record) = write.before.records.get(uid)
        {
            let deletes = record.request.clean_policy == CleanPolicy::Delete;
            self.gone.extend(certified(record).into_iter().map(|id| (id, (uid.clone(), deletes))));
        }
        Vec::new()
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let Some(facts) = look.facts.filter(|facts| facts.snapshots.len() > self.looked) else { return Vec::new() };
        self.looked = facts.snapshots.len();
        facts.snapshots.iter().filter(|(_, made)| !is_tagged(made)).map(|(id, _)| format!("{id} lacks tags")).collect()
    }

    fn end(&mut self, end: &End<'_>) -> Vec<String> {
        if end.lost {
            return Vec::new();
        }
        let named: BTreeSet<SnapshotId> = end.books.records.values().flat_map(certified).collect();
        let kept = |id: &SnapshotId| {
            self.gone.get(id).is_some_and(|(uid, deletes)| !*deletes || !end.lives.get(uid).is_some_and(Life::deletes))
        };
        // Of an orphan nobody waits for the end; what it has made so far is its own until then.
        let under_way: BTreeSet<&str> =
            end.books.records.values().filter(|one| !is_at_rest(one)).map(|one| one.request.backup.as_str()).collect();
        let owed = |made: &SnapshotFact| tag(made, "isochron/backup-uid").is_some_and(|uid| under_way.contains(uid));
        let left = end
            .facts
            .snapshots
            .iter()
            .filter(|(id, made)| !made.deleted && !named.contains(*id) && !kept(id) && !owed(made));
        left.map(|(id, _)| format!("{id} is left over and nobody keeps it")).collect()
    }
}

fn is_at_rest(record: &Record) -> bool {
    match record.milestone {
        Milestone::Complete => !record.deleting,
        Milestone::Failed => record.planes.values().all(|plane| plane.cleaned.is_some() || plane.abandoned),
        _ => false,
    }
}

fn tag<'a>(made: &'a SnapshotFact, key: &str) -> Option<&'a str> {
    made.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn is_tagged(made: &SnapshotFact) -> bool {
    tag(made, "isochron/backup-uid").is_some()
        && tag(made, "isochron/attempt").is_some()
        && tag(made, "isochron/plane") == Some(made.plane.as_str())
}
