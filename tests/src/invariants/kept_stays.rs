//! I8: nothing that a kept certificate or backupmeta names is deleted, unless its own object was deleted by a user, under
//! the policy Delete both when the backup began and when the object was deleted (of the old manager's objects, when it was
//! deleted; where the record is lost, too: nothing else says what it began with); or by retention of its schedule. A lost control plane, a lost record, a CRD or namespace that was torn down, a deleted copy: none of them is that.
//!
//! And nothing kept is out of reach: what was Complete, and had not to go, is named by a record in the ledger, unless the
//! ledger itself was lost, or the object was deleted under a policy that keeps.

use super::checker::{Checker, End, Entry, Look, Write, certified};
use crate::control::Life;
use coordinator::ports::LedgerKey;
use shared::{
    barrier::{Milestone, Record},
    ids::{BackupUid, SnapshotId},
    reason::Reason,
    request::CleanPolicy,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a snapshot that a saved certificate names or named.
#[derive(Clone, Debug, Default)]
struct Named {
    /// Objects whose records named it, and whether their policy was Delete when they began.
    owners: BTreeMap<BackupUid, bool>,
    /// The backup was Complete: backupmeta names the snapshot, too.
    complete: bool,
    /// Before it was Complete its attempt ended badly: by this, under this object.
    given_up: Option<(BackupUid, Reason)>,
    /// Before it was Complete, and so before S3 proved it, the ledger was restored from a time before its certificate.
    forgotten: bool,
}

#[derive(Default)]
pub(super) struct KeptStays {
    named: BTreeMap<SnapshotId, Named>,
    told: BTreeSet<SnapshotId>,
    /// Objects whose record was deleted under them.
    lost: BTreeSet<BackupUid>,
}

/// Does this hold of the object, or of one that was restored from it?
fn of_heirs(owner: &BackupUid, lives: &BTreeMap<BackupUid, Life>, holds: impl Fn(&Life) -> bool) -> bool {
    lives.iter().any(|(uid, life)| holds(life) && (uid == owner || comes_from(life, owner, lives)))
}

fn comes_from(life: &Life, owner: &BackupUid, lives: &BTreeMap<BackupUid, Life>) -> bool {
    life.restored_from
        .as_ref()
        .is_some_and(|from| from == owner || lives.get(from).is_some_and(|life| comes_from(life, owner, lives)))
}

impl Named {
    fn may_go(&self, lives: &BTreeMap<BackupUid, Life>, lost: &BTreeSet<BackupUid>) -> bool {
        let wished = |owner: &BackupUid| of_heirs(owner, lives, Life::deletes);
        // Nobody knows what policy an object of the old manager began with, or one without its record: the one that it has
        // counts.
        let foreign = |owner: &BackupUid| of_heirs(owner, lives, |life| life.of_old_manager);
        // An incomplete backup keeps nothing once its object is deleted, whatever the policy says.
        let incomplete = !self.complete && self.is_let_go(lives);
        let deleted = self
            .owners
            .iter()
            .any(|(owner, deletes)| (*deletes || lost.contains(owner) || foreign(owner)) && wished(owner));
        incomplete || self.forgotten || self.is_given_up(lives) || deleted
    }

    /// By `error` in EC2, or by a person's wish. Then the policy does not matter: there is nothing to restore.
    fn is_given_up(&self, lives: &BTreeMap<BackupUid, Life>) -> bool {
        self.given_up.as_ref().is_some_and(|(owner, reason)| match reason {
            Reason::SnapshotFailed | Reason::Cancelled => true,
            Reason::Deleted => of_heirs(owner, lives, Life::is_let_go),
            _ => false,
        })
    }

    /// The old manager made it: its object and its backupmeta are all that names it.
    fn is_foreign(&self, lives: &BTreeMap<BackupUid, Life>) -> bool {
        self.owners.keys().any(|owner| of_heirs(owner, lives, |life| life.of_old_manager))
    }

    /// Some object of it was deleted on purpose, whatever became of the snapshot.
    fn is_let_go(&self, lives: &BTreeMap<BackupUid, Life>) -> bool {
        self.owners.keys().any(|owner| of_heirs(owner, lives, Life::is_let_go))
    }
}

impl KeptStays {
    /// Unless it goes because it is done with, or another object has adopted it.
    fn note_lost(&mut self, uid: &BackupUid, records: &BTreeMap<BackupUid, Record>) {
        let Some(gone) = records.get(uid).filter(|record| record.milestone != Milestone::Cleaned) else { return };
        if !records.iter().any(|(other, record)| other != uid && record.request.backup == gone.request.backup) {
            self.lost.insert(uid.clone());
        }
    }
}

impl Checker for KeptStays {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        let LedgerKey::Record(uid) = write.key else { return Vec::new() };
        let Entry::Record(after) = write.entry else {
            self.note_lost(uid, &write.before.records);
            return Vec::new();
        };
        // Whoever adopted it owns it, however far the record is that it adopted.
        let adopted = self.named.values_mut().filter(|named| named.owners.contains_key(&after.request.backup));
        for named in adopted {
            named.owners.entry(uid.clone()).or_insert(after.request.clean_policy == CleanPolicy::Delete);
        }
        let before = write.before.records.get(uid).map(certified).unwrap_or_default();
        let now = certified(after);
        for id in before.difference(&now) {
            if let Some(named) = self.named.get_mut(id).filter(|named| !named.complete) {
                named.given_up = after.failure.as_ref().map(|failure| (uid.clone(), failure.reason));
            }
        }
        if after.milestone < Milestone::Certified {
            let of_this = self.named.values_mut().filter(|named| !named.complete && named.owners.contains_key(uid));
            of_this.for_each(|named| named.forgotten = true);
        }
        if !matches!(after.milestone, Milestone::Certified | Milestone::Complete) {
            return Vec::new();
        }
        for id in now {
            let named = self.named.entry(id).or_default();
            named.owners.entry(uid.clone()).or_insert(after.request.clean_policy == CleanPolicy::Delete);
            named.complete |= after.milestone == Milestone::Complete;
        }
        Vec::new()
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let Some(facts) = look.facts else { return Vec::new() };
        let deleted = |id: &SnapshotId| facts.snapshots.get(id).is_none_or(|snapshot| snapshot.deleted);
        let lost: Vec<_> = self
            .named
            .iter()
            .filter(|(id, named)| !self.told.contains(*id) && deleted(id) && !named.may_go(look.lives, &self.lost))
            .map(|(id, named)| (id.clone(), named.owners.keys().map(ToString::to_string).collect::<Vec<_>>()))
            .collect();
        self.told.extend(lost.iter().map(|(id, _)| id.clone()));
        lost.into_iter().map(|(id, owners)| format!("{id} is kept by {owners:?} and was deleted")).collect()
    }

    fn end(&mut self, end: &End<'_>) -> Vec<String> {
        if end.lost {
            return Vec::new();
        }
        let reached: BTreeSet<SnapshotId> = end.books.records.values().flat_map(certified).collect();
        let out = self.named.iter().filter(|(id, named)| {
            let there = end.facts.snapshots.get(*id).is_some_and(|snapshot| !snapshot.deleted);
            named.complete
                && there
                && !named.is_let_go(end.lives)
                && !named.is_foreign(end.lives)
                && !reached.contains(*id)
        });
        out.map(|(id, named)| format!("{id} is kept by {:?} and no record names it", named.owners.keys())).collect()
    }
}
