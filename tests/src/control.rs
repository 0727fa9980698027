//! A control plane in memory: VolumeBackup and VolumeBackupSchedule objects and the ledger, behind the coordinator's ports. Objects pass through
//! the same conversion as with a real API server, so statuses look exactly as users see them.
//!
//! Its odd habits: a write that loses a compare-and-set is a `Conflict`; on demand a ledger write happens and its answer
//! is lost (`Unavailable`), which the coordinator must read back; on demand nothing answers at all, or what is too large is
//! refused. A uid is given once. A deletion is a deletionTimestamp for as long as a finalizer holds the object, and nothing
//! without one. On demand everything in it is lost, restored under other uids, or torn down.

mod disasters;
mod history;
mod ledger;
mod lives;
mod manifests;
mod old_manager;
mod people;
mod remembered;
mod restores;
mod schedules;

pub use disasters::Export;
pub use ledger::{parse_claim, parse_record};
pub use remembered::{Deleter, Deletion, Happened, Life, Retired, Scope, Torn};

use crate::bell::Bell;
use async_trait::async_trait;
use coordinator::{
    edge::kube::{
        convert::{self, merge_status},
        crd::{FINALIZER, VolumeBackup},
    },
    ports::{
        EndedAttempt, EventKind, LedgerKey, Logs, ObjectEvent, ObjectRef, Objects, PortError, Source, Status, Teardown,
        Traces,
    },
};
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use shared::{ids::BackupUid, request::Limits, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::mpsc;

/// A real source repeats everything this often.
const RESYNC: Duration = Duration::from_secs(30);

/// One event, as it would stand in `kubectl get events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSeen {
    /// namespace/name
    pub object: String,
    /// True for Normal.
    pub normal: bool,
    /// One word.
    pub reason: String,
    /// Particulars.
    pub message: String,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    schedules: BTreeMap<String, Value>,
    restores: BTreeMap<String, Value>,
    ledger: BTreeMap<LedgerKey, remembered::StoredText>,
    events: Vec<EventSeen>,
    /// resourceVersion of everything here.
    version: u64,
    /// Uids are counted, so that runs repeat.
    uids: u64,
    lose_ledger_answers: u32,
    ledger_down: bool,
    objects_down: bool,
    /// Since somebody last asked; `None`: nobody asks.
    happened: Option<Vec<Happened>>,
    /// Of attempts that have ended; `None`: nobody asks.
    traces: Option<Vec<EndedAttempt>>,
    /// How long one way of a ledger call takes, in milliseconds, and what draws it.
    ledger_way: Option<((u64, u64), SmallRng)>,
    /// No record may grow beyond this many bytes.
    ledger_limit: Option<usize>,
    /// Bytes of the longest record that there ever was.
    longest_record: usize,
    /// Every VolumeBackup that ever was.
    lives: BTreeMap<BackupUid, Life>,
    torn: BTreeMap<Scope, Torn>,
    /// A namespace that is gone is there again at once.
    remakes: bool,
    lose_create_answers: u32,
    mute_schedule_status: bool,
    schedule_statuses: u64,
}

/// A filter that steers nothing; one with a space is refused.
#[derive(Default)]
struct LogFilter(Mutex<String>);

impl Logs for LogFilter {
    fn filter(&self) -> Result<String, String> {
        Ok(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        if filter.contains(' ') {
            return Err(format!("log filter {filter:?} cannot be read"));
        }
        filter.clone_into(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        Ok(())
    }
}

impl Traces for Control {
    fn ended(&self, attempt: EndedAttempt) {
        if let Some(traces) = &mut self.lock().traces {
            traces.push(attempt);
        }
    }
}

/// See the module. Clones share one state.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Mutex<Inner>>,
    changed: Bell,
    limits: Limits,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Control {
    /// An empty control plane. `limits`: bounds of backups that set none.
    pub fn new(limits: Limits, wall: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { inner: Arc::default(), changed: Bell::default(), limits, wall }
    }

    /// The ports.
    pub fn ports(&self) -> coordinator::ports::Ports {
        let me = Arc::new(self.clone());
        coordinator::ports::Ports {
            source: me.clone(),
            ledger: me.clone(),
            objects: me.clone(),
            schedules: me.clone(),
            traces: me.clone(),
            restores: me.clone(),
            manifests: me,
            logs: Arc::new(LogFilter::default()),
            wall: self.wall.clone(),
        }
    }

    /// Traces that were handed on since this was first asked.
    pub fn traces(&self) -> Vec<EndedAttempt> {
        self.lock().traces.get_or_insert_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Statuses, events and finalizers cannot be written, or can again.
    pub fn objects_down(&self, down: bool) {
        self.lock().objects_down = down;
    }

    fn touched(&self) {
        self.changed.ring();
    }

    /// The object as `kubectl get -o yaml` would show it; `None` when it is gone.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().objects.get(key).cloned()
    }

    /// Every object, by namespace/name.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.lock().objects.clone()
    }

    /// Of every object.
    pub fn uids(&self) -> BTreeSet<BackupUid> {
        let uid = |object: &Value| object["metadata"]["uid"].as_str().map(BackupUid::new);
        self.lock().objects.values().filter_map(uid).collect()
    }

    /// Does something hold of every object? Without a copy of any.
    pub fn all(&self, holds: impl Fn(&Value) -> bool) -> bool {
        self.lock().objects.values().all(holds)
    }

    /// `status.phase`, empty if there is none.
    pub fn phase(&self, key: &str) -> String {
        self.get(key).and_then(|object| object["status"]["phase"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until `until` holds of the object, looking again at every change. The caller bounds it in time.
    pub async fn wait(&self, key: &str, until: impl Fn(Option<&Value>) -> bool) {
        let mut changes = self.changed.listen();
        while !until(self.get(key).as_ref()) {
            changes.rung().await;
        }
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<EventSeen> {
        self.lock().events.clone()
    }

    fn edit(&self, target: &ObjectRef, change: impl FnOnce(&mut Value)) -> Result<(), PortError> {
        let mut inner = self.lock();
        if inner.objects_down {
            return Err(PortError::Unavailable("the API server does not answer".to_owned()));
        }
        let key = format!("{}/{}", target.namespace, target.name);
        let gone = || PortError::NotFound(key.clone());
        let object = inner.objects.get_mut(&key).ok_or_else(gone)?;
        if object["metadata"]["uid"].as_str() != Some(target.uid.as_str()) {
            return Err(gone());
        }
        let before = object.clone();
        change(object);
        let changed = *object != before;
        if object["metadata"]["deletionTimestamp"].is_string() && finalizers(object).is_empty() {
            inner.objects.remove(&key);
        }
        drop(inner);
        if changed {
            self.touched();
        }
        Ok(())
    }
}

fn rfc3339(at: Timestamp) -> String {
    shared::calendar::rfc3339(at)
}

fn finalizers(object: &Value) -> Vec<Value> {
    object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default()
}

#[async_trait]
impl Source for Control {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        let mut changes = self.changed.listen();
        let mut known = BTreeMap::new();
        let (mut synced, mut resync) = (false, false);
        let mut next = tokio::time::Instant::now() + RESYNC;
        loop {
            let objects: Vec<Value> = self.lock().objects.values().cloned().collect();
            let mut now = BTreeMap::new();
            for value in objects {
                let Ok(backup) = serde_json::from_value::<VolumeBackup>(value) else { continue };
                if let Some(object) = convert::object(&backup, &self.limits) {
                    now.insert(object.uid.clone(), object);
                }
            }
            let gone: Vec<_> = known.keys().filter(|uid| !now.contains_key(*uid)).cloned().collect();
            for uid in gone {
                if events.send(ObjectEvent::Gone(uid)).await.is_err() {
                    return;
                }
            }
            for object in now.values() {
                if (resync || known.get(&object.uid) != Some(object))
                    && events.send(ObjectEvent::Applied(Box::new(object.clone()))).await.is_err()
                {
                    return;
                }
            }
            known = now;
            if !synced {
                synced = true;
                if events.send(ObjectEvent::Synced).await.is_err() {
                    return;
                }
            }
            resync = tokio::time::timeout_at(next, changes.rung()).await.is_err();
            if resync {
                next = tokio::time::Instant::now() + RESYNC;
            }
        }
    }
}

#[async_trait]
impl Objects for Control {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        let now = (self.wall)();
        self.edit(object, |value| {
            let new = merge_status(value.get("status"), status, now);
            value["status"] = new;
        })
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, |value| value["metadata"]["finalizers"] = json!([FINALIZER]))
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, |value| value["metadata"]["finalizers"] = json!([]))
    }

    async fn teardown(&self, namespace: &str) -> Result<Teardown, PortError> {
        if self.lock().objects_down {
            return Err(PortError::Unavailable("the API server does not answer".to_owned()));
        }
        let scopes = [Scope::Crd, Scope::Namespace(namespace.to_owned())];
        let torn = scopes.iter().find_map(|scope| Some((scope, self.torn(scope)?)));
        Ok(torn.map_or(Teardown::None, |(scope, state)| Teardown::Of(format!("{scope:?} is {state:?}"))))
    }

    async fn is_there(&self, object: &ObjectRef) -> Result<bool, PortError> {
        if self.lock().objects_down {
            return Err(PortError::Unavailable("the API server does not answer".to_owned()));
        }
        Ok(self.uids().contains(&object.uid))
    }

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.lock().events.push(EventSeen {
            object: format!("{}/{}", object.namespace, object.name),
            normal: kind == EventKind::Normal,
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
        Ok(())
    }
}
