//! A control plane in memory: VolumeBackup and VolumeBackupSchedule objects and the ledger, behind the coordinator's ports. Objects pass through
//! the same conversion as with a real API server, so statuses look exactly as users see them.
//!
//! Its odd habits: a write that loses a compare-and-set is a `Conflict`; on demand a ledger write happens and its answer
//! is lost (`Unavailable`), which the coordinator must read back; on demand nothing answers at all; on demand everything
//! in it is lost.

mod schedules;

use crate::bell::Bell;
use async_trait::async_trait;
use coordinator::{
    edge::kube::{
        convert::{self, merge_status},
        crd::{FINALIZER, SCHEDULE_KIND, VolumeBackup},
    },
    ports::{Entry, EventKind, Ledger, LedgerKey, ObjectEvent, ObjectRef, Objects, PortError, Source, Status, Version},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use shared::{request::Limits, time::Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::mpsc;

/// A real source repeats everything this often.
const RESYNC: Duration = Duration::from_secs(30);

/// One event, as it would stand in `kubectl get events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
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
    ledger: BTreeMap<LedgerKey, (String, u64)>,
    events: Vec<Told>,
    /// resourceVersion of everything here.
    version: u64,
    /// Uids are counted, so that runs repeat.
    uids: u64,
    lose_ledger_answers: u32,
    ledger_down: bool,
    objects_down: bool,
    /// Ledger writes since somebody last asked; `None`: nobody asks.
    writes: Option<Vec<(LedgerKey, Option<String>)>>,
    /// How long one way of a ledger call takes, in milliseconds, and what draws it.
    ledger_way: Option<((u64, u64), SmallRng)>,
    lose_create_answers: u32,
    mute_schedule_status: bool,
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
            schedules: me,
            wall: self.wall.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn noted(inner: &mut Inner, key: &LedgerKey, body: Option<&str>) {
        if let Some(writes) = &mut inner.writes {
            writes.push((key.clone(), body.map(str::to_owned)));
        }
    }

    /// From now on every ledger write is remembered for [`Self::take_writes`].
    pub fn remember_writes(&self) {
        self.lock().writes.get_or_insert_default();
    }

    /// Ledger writes since the last call, in order: key and text, no text for a deletion.
    pub fn take_writes(&self) -> Vec<(LedgerKey, Option<String>)> {
        self.lock().writes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// One way of a ledger call takes so many milliseconds; a write happens in between.
    pub fn ledger_takes(&self, from: u64, to: u64, seed: u64) {
        self.lock().ledger_way = Some(((from, to.max(from)), SmallRng::seed_from_u64(seed)));
    }

    /// The ledger does not answer, or does again.
    pub fn ledger_down(&self, down: bool) {
        self.lock().ledger_down = down;
    }

    /// Statuses, events and finalizers cannot be written, or can again.
    pub fn objects_down(&self, down: bool) {
        self.lock().objects_down = down;
    }

    /// The Kubernetes cluster of the control plane is lost, and an empty one takes its place.
    pub fn lose_everything(&self) {
        let mut inner = self.lock();
        let keys: Vec<LedgerKey> = inner.ledger.keys().cloned().collect();
        for key in keys {
            Self::noted(&mut inner, &key, None);
        }
        inner.ledger.clear();
        inner.objects.clear();
        drop(inner);
        self.touched();
    }

    async fn way(&self) {
        let length = self.lock().ledger_way.as_mut().map_or(0, |((from, to), random)| random.random_range(*from..=*to));
        if length > 0 {
            tokio::time::sleep(Duration::from_millis(length)).await;
        }
    }

    fn reach(&self) -> Result<(), PortError> {
        if self.lock().ledger_down {
            Err(PortError::Unavailable("the ledger does not answer".to_owned()))
        } else {
            Ok(())
        }
    }

    fn touched(&self) {
        self.changed.ring();
    }

    /// `kubectl apply`: creates the object, or replaces spec and annotations of one that exists.
    pub fn apply(&self, yaml: &str) -> anyhow::Result<()> {
        let mut object: Value = serde_saphyr::from_str(yaml)?;
        anyhow::ensure!(object["metadata"]["name"].is_string(), "the object has no name");
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = Value::from("default");
        }
        self.store(object);
        Ok(())
    }

    fn store(&self, mut object: Value) {
        let now = rfc3339((self.wall)());
        let mut inner = self.lock();
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = format!("{}/{}", text("namespace"), text("name"));
        inner.uids += 1;
        let uid = format!("00000000-0000-4000-8000-{:012}", inner.uids);
        let all = if object["kind"] == SCHEDULE_KIND { &mut inner.schedules } else { &mut inner.objects };
        if let Some(old) = all.get(&key) {
            for kept in ["uid", "finalizers", "creationTimestamp", "deletionTimestamp"] {
                object["metadata"][kept] = old["metadata"][kept].clone();
            }
            object["status"] = old["status"].clone();
        } else {
            object["metadata"]["uid"] = Value::from(uid);
            object["metadata"]["creationTimestamp"] = Value::from(now);
        }
        all.insert(key, object);
        drop(inner);
        self.touched();
    }

    /// `kubectl annotate`.
    pub fn annotate(&self, key: &str, annotation: &str, value: &str) {
        if let Some(object) = self.lock().objects.get_mut(key) {
            object["metadata"]["annotations"][annotation] = Value::from(value);
        }
        self.touched();
    }

    /// `kubectl delete`: at once without a finalizer, else when it is removed.
    pub fn delete(&self, key: &str) {
        let now = rfc3339((self.wall)());
        let mut inner = self.lock();
        let guarded = inner.objects.get(key).is_some_and(schedules::is_guarded);
        if guarded {
            if let Some(object) = inner.objects.get_mut(key)
                && object["metadata"]["deletionTimestamp"].is_null()
            {
                object["metadata"]["deletionTimestamp"] = Value::from(now);
            }
        } else {
            inner.objects.remove(key);
        }
        drop(inner);
        self.touched();
    }

    /// The object as `kubectl get -o yaml` would show it; `None` when it is gone.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().objects.get(key).cloned()
    }

    /// Every object, by namespace/name.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.lock().objects.clone()
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
    pub fn events(&self) -> Vec<Told> {
        self.lock().events.clone()
    }

    /// Records and claims: key and JSON text.
    pub fn ledger(&self) -> BTreeMap<LedgerKey, String> {
        self.lock().ledger.iter().map(|(key, (body, _))| (key.clone(), body.clone())).collect()
    }

    /// The next `count` ledger writes happen, and their answers are lost.
    pub fn lose_ledger_answers(&self, count: u32) {
        self.lock().lose_ledger_answers = count;
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
impl Ledger for Control {
    async fn list(&self) -> Result<Vec<Entry>, PortError> {
        self.way().await;
        self.reach()?;
        let entry = |(key, (body, version)): (&LedgerKey, &(String, u64))| Entry {
            key: key.clone(),
            body: body.clone(),
            version: Version(version.to_string()),
        };
        Ok(self.lock().ledger.iter().map(entry).collect())
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        Ok(self.list().await?.into_iter().find(|entry| &entry.key == key))
    }

    async fn write(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        self.way().await;
        self.reach()?;
        let written = self.put(key, body, expected);
        self.way().await;
        written
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        self.way().await;
        self.reach()?;
        self.take_away(key, expected)
    }
}

impl Control {
    fn put(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        let mut inner = self.lock();
        let stored = inner.ledger.get(key).map(|(_, version)| Version(version.to_string()));
        if stored.as_ref() != expected {
            return Err(PortError::Conflict(format!("{key:?} is at {stored:?}, expected {expected:?}")));
        }
        inner.version += 1;
        let version = inner.version;
        inner.ledger.insert(key.clone(), (body.to_owned(), version));
        Self::noted(&mut inner, key, Some(body));
        if inner.lose_ledger_answers > 0 {
            inner.lose_ledger_answers -= 1;
            return Err(PortError::Unavailable("answer lost".to_owned()));
        }
        Ok(Version(version.to_string()))
    }

    fn take_away(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        let mut inner = self.lock();
        match inner.ledger.get(key) {
            None => Ok(()),
            Some((_, version)) if version.to_string() == expected.0 => {
                inner.ledger.remove(key);
                Self::noted(&mut inner, key, None);
                Ok(())
            }
            Some((_, version)) => Err(PortError::Conflict(format!("{key:?} is at {version}"))),
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

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.lock().events.push(Told {
            object: format!("{}/{}", object.namespace, object.name),
            normal: kind == EventKind::Normal,
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
        Ok(())
    }
}
