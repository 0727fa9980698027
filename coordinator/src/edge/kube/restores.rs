//! VolumeRestore objects of an API server: what is there, status, finalizers, events.

use super::{
    convert::{merge_restore_status, restore, unreadable_restore},
    crd::{RESTORE_FINALIZER, RESTORE_KIND, VolumeRestore},
    follow::{Followed, follow},
    untyped::{Target, Untyped, Wall},
};
use crate::{
    config::Share,
    ports::{EventKind, PortError, RestoreEvent, RestoreObject, RestoreRef, RestoreStatus, Restores},
};
use async_trait::async_trait;
use kube::{Client, core::DeserializeGuard};
use shared::ids::RestoreUid;
use tokio::sync::mpsc;

/// Those of one coordinator.
#[derive(Clone)]
pub struct KubeRestores {
    watched: Followed<VolumeRestore>,
    objects: Untyped,
}

impl KubeRestores {
    /// `instance` names this process in events.
    pub fn new(client: Client, share: &Share, instance: &str, wall: Wall) -> Self {
        let objects = Untyped::new::<VolumeRestore>(client.clone(), instance, wall);
        Self { watched: Followed::new(client, share), objects }
    }

    fn convert(&self, guarded: &DeserializeGuard<VolumeRestore>) -> Option<(RestoreUid, RestoreObject)> {
        let object = match &guarded.0 {
            Ok(found) => restore(found),
            Err(invalid) => unreadable_restore(&invalid.metadata, &invalid.error),
        }?;
        self.watched.has(Some(&object.namespace)).then(|| (object.uid.clone(), object))
    }
}

fn target(restore: &RestoreRef) -> Target<'_> {
    Target { uid: restore.uid.as_str(), namespace: &restore.namespace, name: &restore.name }
}

#[async_trait]
impl Restores for KubeRestores {
    async fn run(&self, events: mpsc::Sender<RestoreEvent>) {
        follow(&self.watched, RESTORE_KIND, |guarded| self.convert(guarded), events).await;
    }

    async fn publish(&self, restore: &RestoreRef, status: &RestoreStatus) -> Result<(), PortError> {
        let now = (self.objects.wall)();
        self.objects.publish(target(restore), |old| merge_restore_status(old, status, now)).await
    }

    async fn add_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        self.objects.add_finalizer(target(restore), RESTORE_FINALIZER).await
    }

    async fn remove_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        self.objects.remove_finalizer(target(restore), RESTORE_FINALIZER).await
    }

    async fn event(&self, restore: &RestoreRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.objects.event(target(restore), kind, reason, message).await
    }
}
