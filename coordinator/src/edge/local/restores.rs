//! VolumeRestores of a directory: what the files say, status, finalizers.

use super::{
    follow::tell,
    home::blocking,
    kept,
    layout::Key,
    objects::{Store, StoredObject, phase},
    schedules::ScheduleStore,
};
use crate::{
    edge::kube::{
        convert::{merge_restore_status, restore, unreadable_restore},
        crd::{RESTORE_FINALIZER, RESTORE_KIND, VolumeRestore},
    },
    ports::{EventKind, PortError, RestoreEvent, RestoreObject, RestoreRef, RestoreStatus, Restores},
};
use async_trait::async_trait;
use shared::time::Timestamp;
use std::sync::Arc;
use tokio::sync::mpsc;

/// See the module.
pub struct LocalRestores {
    store: Arc<Store>,
    /// Knows whether every file was read at least once.
    schedules: Arc<ScheduleStore>,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LocalRestores {
    pub(super) fn new(
        store: Arc<Store>,
        schedules: Arc<ScheduleStore>,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self { store, schedules, wall }
    }
}

/// As the coordinator knows it, by way of the one conversion.
fn object(stored: &StoredObject) -> Option<RestoreObject> {
    let metadata = stored.metadata(RESTORE_FINALIZER);
    match stored.spec() {
        Ok(spec) => restore(&VolumeRestore { types: None, metadata, spec, status: stored.status().cloned() }),
        Err(why) => {
            let mut known = unreadable_restore(&metadata, &why)?;
            known.phase = phase(stored.status());
            Some(known)
        }
    }
}

fn key(restore: &RestoreRef) -> Key {
    (restore.namespace.clone(), restore.name.clone())
}

#[async_trait]
impl Restores for LocalRestores {
    async fn run(&self, events: mpsc::Sender<RestoreEvent>) {
        // The scan itself is the source of VolumeBackups' business.
        let look = || async {
            let all: Vec<RestoreObject> = self.store.kept().values().filter_map(object).collect();
            self.schedules.is_ready().then(|| all.into_iter().map(|one| (one.uid.clone(), one)).collect())
        };
        tell(look, events).await;
    }

    async fn publish(&self, restore: &RestoreRef, status: &RestoreStatus) -> Result<(), PortError> {
        let (store, restore, status, now) = (self.store.clone(), restore.clone(), status.clone(), (self.wall)());
        blocking("write a status", move || {
            store.publish(key(&restore), restore.uid.as_str(), |old| merge_restore_status(old, &status, now))
        })
        .await
    }

    async fn add_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        let (store, restore) = (self.store.clone(), restore.clone());
        blocking("protect an object", move || store.protect(key(&restore), restore.uid.as_str(), true)).await
    }

    async fn remove_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        let (store, restore) = (self.store.clone(), restore.clone());
        blocking("let go of an object", move || store.protect(key(&restore), restore.uid.as_str(), false)).await
    }

    async fn event(&self, restore: &RestoreRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        kept::log_event(RESTORE_KIND, &restore.namespace, &restore.name, kind, reason, message);
        Ok(())
    }
}
