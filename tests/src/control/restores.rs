//! VolumeRestores of the control plane in memory. They pass through the conversion that a real API server's objects do.

use super::{Control, EventSeen};
use async_trait::async_trait;
use coordinator::{
    edge::kube::{
        convert::{self, merge_restore_status},
        crd::{RESTORE_FINALIZER, VolumeRestore},
    },
    ports::{EventKind, LedgerKey, PortError, RestoreEvent, RestoreRef, RestoreStatus, Restores},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{pack::unpack, restoring::Record};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc;

/// A real source repeats everything this often.
const RESYNC: Duration = Duration::from_secs(30);
/// Longer than any record of a test.
const UNPACKED: usize = 64 << 20;

impl Control {
    /// As `kubectl get vrt -o yaml` would show it.
    pub fn get_restore(&self, key: &str) -> Option<Value> {
        self.lock().restores.get(key).cloned()
    }

    /// `kubectl delete vrt`.
    pub fn delete_restore(&self, key: &str) {
        let now = super::rfc3339((self.wall)());
        let mut inner = self.lock();
        let Some(object) = inner.restores.get_mut(key) else { return };
        if super::finalizers(object).is_empty() {
            inner.restores.remove(key);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = Value::from(now);
        }
        drop(inner);
        self.touched();
    }

    /// `kubectl annotate vrt`.
    pub fn annotate_restore(&self, key: &str, annotation: &str, value: &str) {
        if let Some(object) = self.lock().restores.get_mut(key) {
            object["metadata"]["annotations"][annotation] = Value::from(value);
        }
        self.touched();
    }

    /// Waits until `until` holds of it; `None`: it is gone. The caller bounds it in time.
    pub async fn wait_restore(&self, key: &str, until: impl Fn(Option<&Value>) -> bool) {
        let mut changes = self.changed.listen();
        while !until(self.get_restore(key).as_ref()) {
            changes.rung().await;
        }
    }

    /// Every record of a restore that the ledger holds.
    pub fn restore_records(&self) -> Vec<Record> {
        #[derive(Deserialize)]
        struct Form {
            #[serde(default)]
            body: Option<Record>,
            #[serde(default)]
            gzip: Option<String>,
        }
        let read = |text: &str| {
            let form: Form = serde_json::from_str(text).ok()?;
            form.body.or_else(|| serde_json::from_slice(&unpack(&form.gzip?, UNPACKED).ok()?).ok())
        };
        let ledger = self.ledger();
        let restores = ledger.iter().filter(|(key, _)| matches!(key, LedgerKey::Restore(_)));
        restores.filter_map(|(_, text)| read(text)).collect()
    }

    fn edit_restore(&self, target: &RestoreRef, change: impl FnOnce(&mut Value)) -> Result<(), PortError> {
        let mut inner = self.lock();
        if inner.objects_down {
            return Err(PortError::Unavailable("the API server does not answer".to_owned()));
        }
        let key = format!("{}/{}", target.namespace, target.name);
        let gone = || PortError::NotFound(key.clone());
        let object = inner.restores.get_mut(&key).ok_or_else(gone)?;
        if object["metadata"]["uid"].as_str() != Some(target.uid.as_str()) {
            return Err(gone());
        }
        let before = object.clone();
        change(object);
        let changed = *object != before;
        if object["metadata"]["deletionTimestamp"].is_string() && super::finalizers(object).is_empty() {
            inner.restores.remove(&key);
        }
        drop(inner);
        if changed {
            self.touched();
        }
        Ok(())
    }
}

#[async_trait]
impl Restores for Control {
    async fn run(&self, events: mpsc::Sender<RestoreEvent>) {
        let mut changes = self.changed.listen();
        let mut known = BTreeMap::new();
        let mut synced = false;
        let mut next = tokio::time::Instant::now() + RESYNC;
        loop {
            let all: Vec<Value> = self.lock().restores.values().cloned().collect();
            let found = all.into_iter().filter_map(|value| serde_json::from_value::<VolumeRestore>(value).ok());
            let now: BTreeMap<_, _> =
                found.filter_map(|found| convert::restore(&found)).map(|one| (one.uid.clone(), one)).collect();
            let resync = tokio::time::Instant::now() >= next;
            if resync {
                next = tokio::time::Instant::now() + RESYNC;
            }
            let gone = known.keys().filter(|uid| !now.contains_key(*uid)).cloned().map(RestoreEvent::Gone);
            let mut news: Vec<RestoreEvent> = gone.collect();
            let changed = now.iter().filter(|(uid, one)| resync || known.get(*uid) != Some(*one));
            news.extend(changed.map(|(_, one)| RestoreEvent::Applied(Box::new(one.clone()))));
            if !std::mem::replace(&mut synced, true) {
                news.push(RestoreEvent::Synced);
            }
            known = now;
            for event in news {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            // What is due is seen at the top.
            let _ = tokio::time::timeout_at(next, changes.rung()).await;
        }
    }

    async fn publish(&self, restore: &RestoreRef, status: &RestoreStatus) -> Result<(), PortError> {
        let now = (self.wall)();
        self.edit_restore(restore, |value| {
            let new = merge_restore_status(value.get("status"), status, now);
            value["status"] = new;
        })
    }

    async fn add_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        self.edit_restore(restore, |value| value["metadata"]["finalizers"] = json!([RESTORE_FINALIZER]))
    }

    async fn remove_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        self.edit_restore(restore, |value| value["metadata"]["finalizers"] = json!([]))
    }

    async fn event(&self, restore: &RestoreRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.lock().events.push(EventSeen {
            object: format!("{}/{}", restore.namespace, restore.name),
            normal: kind == EventKind::Normal,
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
        Ok(())
    }
}
