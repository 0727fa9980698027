//! What the ledger says became of each backup, for whoever must not believe an object's status: anybody can write one.

use shared::{
    barrier::{Milestone, Summary, Verdict},
    ids::BackupUid,
    retention::BackupState,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// What became of one, and the bytes that it added, where that is known.
type Known = (BackupState, Option<u64>);

/// Written by the actor that owns the records, read by the one that decides which backups stay.
pub struct Outcomes {
    known: Mutex<BTreeMap<BackupUid, Known>>,
    read: watch::Sender<bool>,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { known: Mutex::default(), read: watch::channel(false).0 }
    }
}

impl Outcomes {
    fn known(&self) -> MutexGuard<'_, BTreeMap<BackupUid, Known>> {
        // Entries are whole, so a panicking holder has spoilt nothing.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, of: &Summary) {
        self.known().insert(of.backup.clone(), (state(of.milestone, of.verdict), of.added_bytes));
    }

    pub(super) fn forget(&self, backup: &BackupUid) {
        self.known().remove(backup);
    }

    /// Of a backup that has a record.
    pub(super) fn get(&self, backup: &BackupUid) -> Option<BackupState> {
        self.known().get(backup).map(|(state, _)| *state)
    }

    /// Bytes that it added; `None`: not known.
    pub(super) fn added(&self, backup: &BackupUid) -> Option<u64> {
        self.known().get(backup).and_then(|(_, added)| *added)
    }

    /// The whole ledger has been read: who has no outcome has no record.
    pub(super) fn complete(&self) {
        self.read.send_replace(true);
    }

    /// See `complete`; until then nobody may decide anything.
    pub fn are_complete(&self) -> watch::Receiver<bool> {
        self.read.subscribe()
    }
}

/// While it is deleted it has ended as the certificate says, and must not hold up the next run.
fn state(milestone: Milestone, verdict: Option<Verdict>) -> BackupState {
    match (milestone, verdict) {
        (Milestone::Complete | Milestone::Cleaning | Milestone::Cleaned, Some(verdict)) => {
            BackupState::Complete { proven: verdict == Verdict::Consistent }
        }
        (Milestone::Complete | Milestone::Failed | Milestone::Cleaning | Milestone::Cleaned, _) => BackupState::Failed,
        _ => BackupState::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certificate_in_the_ledger_makes_a_backup_good() {
        let consistent = Some(Verdict::Consistent);
        assert_eq!(state(Milestone::Complete, consistent), BackupState::Complete { proven: true });
        assert_eq!(state(Milestone::Complete, Some(Verdict::Weaker)), BackupState::Complete { proven: false });
        assert_eq!(state(Milestone::Cleaning, consistent), BackupState::Complete { proven: true });
        assert_eq!(state(Milestone::Cleaning, None), BackupState::Failed);
        assert_eq!(state(Milestone::Certified, consistent), BackupState::Running);
    }
}
