//! Status, finalizers and events of VolumeBackup objects.

use super::{
    convert::merge_status,
    crd::{FINALIZER, VolumeBackup},
    teardown::teardown,
    untyped::{Target, Untyped, Wall},
};
use crate::ports::{EventKind, ObjectRef, Objects, PortError, Status, Teardown};
use async_trait::async_trait;
use kube::Client;

/// VolumeBackup objects of one API server.
#[derive(Clone)]
pub struct KubeObjects(Untyped);

impl KubeObjects {
    /// `instance` names this process in events, which the API server refuses above 128 characters: the rest is cut.
    pub fn new(client: Client, instance: &str, wall: Wall) -> Self {
        Self(Untyped::new::<VolumeBackup>(client, instance, wall))
    }
}

fn target(object: &ObjectRef) -> Target<'_> {
    Target { uid: object.uid.as_str(), namespace: &object.namespace, name: &object.name }
}

#[async_trait]
impl Objects for KubeObjects {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        let now = (self.0.wall)();
        self.0.publish(target(object), |old| merge_status(old, status, now)).await
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.0.add_finalizer(target(object), FINALIZER).await
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.0.remove_finalizer(target(object), FINALIZER).await
    }

    async fn teardown(&self, namespace: &str) -> Result<Teardown, PortError> {
        teardown(self.0.client(), namespace).await
    }

    async fn is_there(&self, object: &ObjectRef) -> Result<bool, PortError> {
        match self.0.get(target(object), "read").await {
            Ok(_) => Ok(true),
            Err(PortError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.0.event(target(object), kind, reason, message).await
    }
}

#[cfg(test)]
mod tests;
