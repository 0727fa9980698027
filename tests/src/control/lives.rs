//! What an API server would remember of every VolumeBackup that ever was, if it did: which object it was made from, and who
//! deleted it. Checkers read this, and nothing else does: it is the truth about who wished what.

use super::{
    Control, Inner,
    remembered::{Deleter, Deletion, Life},
};
use serde_json::Value;
use shared::{ids::BackupUid, time::Timestamp};
use std::collections::BTreeMap;

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
