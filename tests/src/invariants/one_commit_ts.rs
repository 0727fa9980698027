//! I4: one commitTs per attempt, fixed after the last `Covered` and before the first snapshot.

use super::checker::{Checker, Entry, Frame, Look, Message, Write};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::Milestone,
    epoch::Epoch,
    ids::{Attempt, BackupUid, PlaneId},
    wire::{Answer, Up},
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct CommitTs {
    covered: BTreeMap<(Attempt, Epoch), BTreeSet<PlaneId>>,
    /// Its record was deleted: by the coordinator, or by somebody else.
    gone: BTreeSet<BackupUid>,
    /// Of these, those that have a record again, or never ought to have lost it: it does not know what there was.
    lost: BTreeSet<BackupUid>,
}

impl Checker for CommitTs {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Vec<String> {
        if let Message::Up(Up::Answer { attempt, epoch, answer: Answer::Covered(_) }) = frame.message {
            self.covered.entry((attempt.clone(), *epoch)).or_default().insert(PlaneId::new(frame.plane));
        }
        Vec::new()
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        let LedgerKey::Record(uid) = write.key else { return Vec::new() };
        let Entry::Record(after) = write.entry else {
            let before = write.before.records.get(uid);
            self.gone.extend(before.map(|record| record.request.backup.clone()));
            let lost = before.filter(|record| record.milestone != Milestone::Cleaned);
            self.lost.extend(lost.map(|record| record.request.backup.clone()));
            return Vec::new();
        };
        if self.gone.contains(&after.request.backup) {
            self.lost.insert(after.request.backup.clone());
        }
        let mut wrong = Vec::new();
        let id = after.attempt_id();
        let before = write.before.records.get(uid).filter(|before| before.attempt == after.attempt);
        let earlier = before.and_then(|before| before.commit_ts);
        match (earlier, after.commit_ts) {
            (None, Some(commit_ts)) => {
                let none = BTreeSet::new();
                let covered = self.covered.get(&(id.clone(), after.epoch)).unwrap_or(&none);
                let missing: Vec<_> = after.planes.keys().filter(|plane| !covered.contains(*plane)).collect();
                if !missing.is_empty() {
                    wrong.push(format!("{id}: commitTs {commit_ts} is fixed and {missing:?} have not covered"));
                }
            }
            (Some(first), second) if second != Some(first) => {
                wrong.push(format!("{id}: commitTs {first} became {second:?}"));
            }
            _ => {}
        }
        if after.milestone <= Milestone::Barrier && after.commit_ts.is_some() {
            wrong.push(format!("{id}: commitTs in rig {:?}", after.milestone));
        }
        wrong
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (id, snapshot) in look.facts.iter().flat_map(|facts| &facts.snapshots) {
            let tag = |key: &str| snapshot.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
            let (Some(uid), Some(number)) = (tag("isochron/backup-uid"), tag("isochron/attempt")) else { continue };
            let record = look.books.records.values().find(|record| record.request.backup.as_str() == uid);
            if let Some(record) = record.filter(|record| !self.lost.contains(&record.request.backup))
                && record.attempt.to_string() == number
                && record.commit_ts.is_none()
            {
                wrong.push(format!("{id} of {} exists before commitTs is fixed", record.attempt_id()));
            }
        }
        wrong
    }
}
