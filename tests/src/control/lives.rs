//! What an API server would remember of every VolumeBackup that ever was, if it did: which object it was made from, and who
//! deleted it. Checkers read this, and nothing else does: it is the truth about who wished what.

use super::{Control, Inner};
use serde_json::Value;
use shared::{ids::BackupUid, time::Timestamp};
use std::collections::BTreeMap;

/// Who set a deletionTimestamp, or would have set one if a finalizer had held the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deleter {
    /// `kubectl delete` of this very object.
    User,
    /// The coordinator, by retention of the object's schedule.
    Retention,
    /// The garbage collector, after the owner: the schedule said `deleteBackupsWithSchedule`.
    Owner,
    /// Its CRD or its namespace was deleted with everything in it.
    Teardown,
}

/// A deletion that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Who.
    pub by: Deleter,
    /// By the API server's clock.
    pub at: Timestamp,
    /// `spec.template.cleanPolicy` at that moment.
    pub policy: String,
}

/// One VolumeBackup, from its creation on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// namespace/name
    pub key: String,
    /// The object that it was restored from, in the control plane that was lost.
    pub restored_from: Option<BackupUid>,
    /// The old manager made it, and the ledger knows nothing of it.
    pub of_old_manager: bool,
    /// The first one; no later one takes it back.
    pub deletion: Option<Deletion>,
}

impl Life {
    /// It was deleted on its own account, and its policy then was Delete.
    pub fn deletes(&self) -> bool {
        self.is_let_go() && self.deletion.as_ref().is_some_and(|deletion| deletion.policy == "Delete")
    }

    /// It was deleted on its own account, under whatever policy.
    pub fn is_let_go(&self) -> bool {
        self.deletion.as_ref().is_some_and(|deletion| deletion.by != Deleter::Teardown)
    }
}

impl Control {
    /// Every VolumeBackup that ever was, by uid.
    pub fn lives(&self) -> BTreeMap<BackupUid, Life> {
        self.lock().lives.clone()
    }

    /// The same without a copy.
    pub(crate) fn with_lives<R>(&self, look: impl FnOnce(&BTreeMap<BackupUid, Life>) -> R) -> R {
        look(&self.lock().lives)
    }
}

pub(super) fn born(inner: &mut Inner, key: &str, uid: &str, restored_from: Option<BackupUid>) {
    let life = Life { key: key.to_owned(), restored_from, of_old_manager: false, deletion: None };
    inner.lives.insert(BackupUid::new(uid), life);
}

pub(super) fn deleted(inner: &mut Inner, object: &Value, by: Deleter, at: Timestamp) {
    let Some(uid) = object["metadata"]["uid"].as_str() else { return };
    if let Some(life) = inner.lives.get_mut(&BackupUid::new(uid)) {
        let policy = object["spec"]["template"]["cleanPolicy"].as_str().unwrap_or_default().to_owned();
        life.deletion.get_or_insert(Deletion { by, at, policy });
    }
}
