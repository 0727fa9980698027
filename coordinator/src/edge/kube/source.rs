//! VolumeBackup objects of an API server.

use super::{
    convert::{object, unreadable},
    crd::{KIND, VolumeBackup},
    follow::{Followed, follow},
};
use crate::{
    config::Share,
    ports::{Object, ObjectEvent, Source},
};
use async_trait::async_trait;
use kube::{Client, core::DeserializeGuard};
use shared::{ids::BackupUid, request::Limits};
use tokio::sync::mpsc;

/// Watches those of one coordinator.
#[derive(Clone)]
pub struct KubeSource {
    objects: Followed<VolumeBackup>,
    defaults: Limits,
}

impl KubeSource {
    /// `defaults`: bounds of backups that set none.
    pub fn new(client: Client, share: &Share, defaults: Limits) -> Self {
        Self { objects: Followed::new(client, share), defaults }
    }

    fn convert(&self, guarded: &DeserializeGuard<VolumeBackup>) -> Option<(BackupUid, Object)> {
        let object = match &guarded.0 {
            Ok(backup) => object(backup, &self.defaults),
            Err(invalid) => unreadable(&invalid.metadata, &invalid.error),
        }?;
        self.objects.has(Some(&object.namespace)).then(|| (object.uid.clone(), object))
    }
}

#[async_trait]
impl Source for KubeSource {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        follow(&self.objects, KIND, |guarded| self.convert(guarded), events).await;
    }
}

#[cfg(test)]
mod tests;
