//! VolumeBackup objects as the API server lists and streams them. What is seen is a hint: everything is told again every
//! 30 s, and a relist finds what a broken stream missed.

use super::{
    convert::{object, unreadable},
    crd::VolumeBackup,
};
use crate::ports::{Object, ObjectEvent, Source};
use async_trait::async_trait;
use futures::StreamExt;
use kube::{
    Api, Client,
    core::DeserializeGuard,
    runtime::{WatchStreamExt, watcher},
};
use shared::{ids::BackupUid, request::Limits};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::sync::mpsc;

/// As today's manager (`facts/tidb-operator.md` §8.5).
pub(crate) const RESYNC: Duration = Duration::from_secs(30);

/// Watches one namespace, or all.
#[derive(Clone)]
pub struct KubeSource {
    objects: Api<DeserializeGuard<VolumeBackup>>,
    defaults: Limits,
}

impl KubeSource {
    /// `namespace` `None`: all of them. `defaults`: bounds of backups that set none.
    pub fn new(client: Client, namespace: Option<&str>, defaults: Limits) -> Self {
        let objects = match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        Self { objects, defaults }
    }

    fn convert(&self, guarded: &DeserializeGuard<VolumeBackup>) -> Option<Object> {
        match &guarded.0 {
            Ok(backup) => object(backup, &self.defaults),
            Err(invalid) => unreadable(&invalid.metadata, &invalid.error),
        }
    }
}

/// What the API server has, as far as it has told us.
#[derive(Default)]
struct Known {
    objects: BTreeMap<BackupUid, Object>,
    /// Seen by the list that is under way.
    listed: Option<BTreeSet<BackupUid>>,
    synced: bool,
}

impl Known {
    /// What an event of the watcher means for the coordinator.
    fn take(&mut self, event: watcher::Event<DeserializeGuard<VolumeBackup>>, source: &KubeSource) -> Vec<ObjectEvent> {
        match event {
            watcher::Event::Init => {
                self.listed = Some(BTreeSet::new());
                Vec::new()
            }
            watcher::Event::InitApply(guarded) | watcher::Event::Apply(guarded) => {
                let Some(object) = source.convert(&guarded) else { return Vec::new() };
                if let Some(listed) = &mut self.listed {
                    listed.insert(object.uid.clone());
                }
                self.objects.insert(object.uid.clone(), object.clone());
                vec![ObjectEvent::Applied(Box::new(object))]
            }
            watcher::Event::Delete(guarded) => {
                let Some(object) = source.convert(&guarded) else { return Vec::new() };
                self.objects.remove(&object.uid);
                vec![ObjectEvent::Gone(object.uid)]
            }
            watcher::Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<BackupUid> = self.objects.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
                let mut events = Vec::new();
                for uid in gone {
                    self.objects.remove(&uid);
                    events.push(ObjectEvent::Gone(uid));
                }
                if !self.synced {
                    self.synced = true;
                    events.push(ObjectEvent::Synced);
                }
                events
            }
        }
    }
}

#[async_trait]
impl Source for KubeSource {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        let mut stream = watcher(self.objects.clone(), watcher::Config::default()).default_backoff().boxed();
        let mut resync = tokio::time::interval_at(tokio::time::Instant::now() + RESYNC, RESYNC);
        // A slow receiver gets one resync, not all that it missed.
        resync.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = Known::default();
        loop {
            let news = tokio::select! {
                () = events.closed() => return,
                _ = resync.tick() => known.objects.values().cloned().map(|o| ObjectEvent::Applied(Box::new(o))).collect(),
                next = stream.next() => match next {
                    Some(Ok(event)) => known.take(event, self),
                    Some(Err(error)) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "cannot watch VolumeBackup objects; it is tried again. If the kind is unknown, apply what `coordinator crd` prints",
                        );
                        Vec::new()
                    }
                    // The watcher's stream has no end.
                    None => return,
                },
            };
            for event in news {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
