//! VolumeBackup objects of an API server.

use super::{
    convert::{object, unreadable},
    crd::{KIND, VolumeBackup},
    follow::{Guarded, follow, guarded},
};
use crate::ports::{Object, ObjectEvent, Source};
use async_trait::async_trait;
use kube::{Client, core::DeserializeGuard};
use shared::{ids::BackupUid, request::Limits};
use tokio::sync::mpsc;

/// Watches one namespace, or all.
#[derive(Clone)]
pub struct KubeSource {
    objects: Guarded<VolumeBackup>,
    defaults: Limits,
}

impl KubeSource {
    /// `namespace` `None`: all of them. `defaults`: bounds of backups that set none.
    pub fn new(client: Client, namespace: Option<&str>, defaults: Limits) -> Self {
        Self { objects: guarded(client, namespace), defaults }
    }

    fn convert(&self, guarded: &DeserializeGuard<VolumeBackup>) -> Option<(BackupUid, Object)> {
        let object = match &guarded.0 {
            Ok(backup) => object(backup, &self.defaults),
            Err(invalid) => unreadable(&invalid.metadata, &invalid.error),
        }?;
        Some((object.uid.clone(), object))
    }
}

#[async_trait]
impl Source for KubeSource {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        follow(self.objects.clone(), KIND, |guarded| self.convert(guarded), events).await;
    }
}

#[cfg(test)]
mod tests;
