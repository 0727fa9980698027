//! VolumeBackup objects in memory: each change is told once, as a watch tells it, and costs what the program's own edge costs.

use async_trait::async_trait;
use coordinator::{
    edge::kube::{
        convert::{self, merge_status},
        crd::{FINALIZER, VolumeBackup},
    },
    ports::{EventKind, ObjectEvent, ObjectRef, Objects, PortError, Source, Status},
};
use serde_json::{Value, json};
use shared::{ids::BackupUid, request::Limits};
use shell::clock::system_wall;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc};

/// Changes that are not told yet; a receiver that is slow is waited for.
type Untold = Vec<ObjectEvent>;

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    untold: Untold,
    made: u64,
}

/// Clones share one state.
#[derive(Clone, Default)]
pub(super) struct InMemory {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
    told: Arc<Notify>,
}

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new object.
    pub(super) fn apply(&self, yaml: &str) -> anyhow::Result<()> {
        let mut object: Value = serde_saphyr::from_str(yaml)?;
        let mut inner = self.lock();
        inner.made += 1;
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", inner.made));
        object["metadata"]["creationTimestamp"] = json!(shared::calendar::rfc3339(system_wall()));
        self.store(&mut inner, object);
        Ok(())
    }

    /// A deletionTimestamp, for as long as a finalizer holds it.
    pub(super) fn delete(&self, key: &str) {
        let mut inner = self.lock();
        if let Some(mut object) = inner.objects.get(key).cloned() {
            object["metadata"]["deletionTimestamp"] = json!(shared::calendar::rfc3339(system_wall()));
            self.store(&mut inner, object);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Value> {
        self.lock().objects.get(key).cloned()
    }

    /// Until it is so of the object. The caller bounds it.
    pub(super) async fn wait(&self, key: &str, holds: impl Fn(Option<&Value>) -> bool) {
        loop {
            let told = self.told.notified();
            if holds(self.lock().objects.get(key)) {
                return;
            }
            told.await;
        }
    }

    fn store(&self, inner: &mut Inner, object: Value) {
        let metadata = &object["metadata"];
        let key = format!(
            "{}/{}",
            metadata["namespace"].as_str().unwrap_or_default(),
            metadata["name"].as_str().unwrap_or_default()
        );
        let held = metadata["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if metadata["deletionTimestamp"].is_string() && !held {
            inner.objects.remove(&key);
            inner.untold.push(ObjectEvent::Gone(BackupUid::new(metadata["uid"].as_str().unwrap_or_default())));
        } else {
            let read = serde_json::from_value::<VolumeBackup>(object.clone()).ok();
            let converted = read.and_then(|backup| convert::object(&backup, &Limits::default()));
            inner.untold.extend(converted.map(|converted| ObjectEvent::Applied(Box::new(converted))));
            inner.objects.insert(key, object);
        }
        self.changed.notify_one();
        self.told.notify_waiters();
    }

    fn edit(&self, target: &ObjectRef, change: impl FnOnce(&mut Value)) -> Result<(), PortError> {
        let key = format!("{}/{}", target.namespace, target.name);
        let mut inner = self.lock();
        let mut object = inner.objects.get(&key).cloned().ok_or(PortError::NotFound(key))?;
        change(&mut object);
        self.store(&mut inner, object);
        Ok(())
    }
}

#[async_trait]
impl Source for InMemory {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        self.lock().untold.push(ObjectEvent::Synced);
        loop {
            let untold = std::mem::take(&mut self.lock().untold);
            for event in untold {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            self.changed.notified().await;
        }
    }
}

#[async_trait]
impl Objects for InMemory {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        self.edit(object, |value| value["status"] = merge_status(value.get("status"), status, system_wall()))
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, |value| value["metadata"]["finalizers"] = json!([FINALIZER]))
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, |value| value["metadata"]["finalizers"] = json!([]))
    }

    async fn event(&self, _: &ObjectRef, _: EventKind, _: &str, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}
