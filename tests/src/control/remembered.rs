//! What a control plane remembers beside its objects: its ledger, what was torn down, what happened, and who deleted what.

use coordinator::ports::{LedgerKey, Version};
use serde_json::Value;
use shared::{ids::BackupUid, time::Timestamp};

/// One object: text, note, version.
#[derive(Clone, Debug)]
pub(super) struct StoredText {
    pub(super) body: String,
    pub(super) note: String,
    pub(super) version: u64,
}

impl StoredText {
    pub(super) fn token(&self) -> Version {
        Version(self.version.to_string())
    }
}

/// What can be torn down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The CustomResourceDefinition of VolumeBackups.
    Crd,
    /// A namespace of VolumeBackups and schedules. The ledger lives in another one.
    Namespace(String),
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// It has a deletionTimestamp, and so has everything in it; nothing new is taken.
    Terminating,
    /// It is not there.
    Gone,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A ledger object was written; no text: it is gone.
    Written(LedgerKey, Option<String>),
    /// It came with another ledger, an older one for example; no text: that one has none. Nobody says it now.
    Replaced(LedgerKey, Option<String>),
    /// The coordinator deleted a backup by retention of its schedule.
    Retired(Box<Retired>),
}

/// A deletion by retention, with what was true at that moment.
#[derive(Clone, Debug)]
pub struct Retired {
    /// Whose.
    pub uid: BackupUid,
    /// The schedule as it stood; `None`: there was none.
    pub schedule: Option<Value>,
    /// Every backup that bears the schedule's label, the deleted one as it was before.
    pub backups: Vec<Value>,
    /// By the API server's clock.
    pub at: Timestamp,
}

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
