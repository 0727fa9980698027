//! What stands in the place of an API server's objects: uid, finalizer and last good text per VolumeBackup or VolumeRestore,
//! and its status, each a file. A deleted object stays, marked, until its finalizer is taken away, also across restarts.

use super::{
    disk,
    documents::Document,
    home::{Home, OpenError, blocking, unavailable, whole_seconds},
    kept,
    layout::{Key, Of},
    scan::MADE,
};
use crate::{
    edge::kube::{
        convert::{merge_status, object, unreadable},
        crd::{FINALIZER, KIND, VolumeBackup},
    },
    ports::{EventKind, Object, ObjectRef, Objects, PortError, Status},
};
use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shared::{request::Limits, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is kept of an object.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredObject {
    /// Drawn at first sight; a name that comes back later gets another.
    uid: String,
    namespace: String,
    name: String,
    /// In which file it stood last.
    pub(super) file: String,
    /// Its document is gone.
    pub(super) deleting: bool,
    finalizer: bool,
    /// When it was first seen, in whole seconds like every creationTimestamp; 1970 in files of older versions.
    #[serde(default)]
    created: Timestamp,
    /// When its deletion began.
    #[serde(default)]
    deleted: Timestamp,
    /// Its last good text.
    manifest: Value,
    /// Why its spec cannot be understood.
    problem: Option<String>,
    /// StoredObject in a file of its own.
    #[serde(skip)]
    status: Option<Value>,
}

impl StoredObject {
    pub(super) fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    pub(super) fn text(&self, path: &str) -> Option<Value> {
        self.manifest.pointer(path).cloned()
    }

    pub(super) fn status(&self) -> Option<&Value> {
        self.status.as_ref()
    }

    /// The spec, or why it cannot be understood.
    pub(super) fn spec<S: DeserializeOwned>(&self) -> Result<S, String> {
        if let Some(problem) = &self.problem {
            return Err(format!("{}: {problem}", self.file));
        }
        serde_json::from_value(self.text("/spec").unwrap_or_default())
            .map_err(|error| format!("{}: {error}", self.file))
    }

    /// As an API server would have it.
    pub(super) fn metadata(&self, finalizer: &str) -> ObjectMeta {
        let text = |path: &str| self.text(path);
        ObjectMeta {
            uid: Some(self.uid.clone()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            labels: text("/metadata/labels").and_then(|all| serde_json::from_value(all).ok()),
            annotations: text("/metadata/annotations").and_then(|all| serde_json::from_value(all).ok()),
            finalizers: self.finalizer.then(|| vec![finalizer.to_owned()]),
            creation_timestamp: Some(time(self.created)),
            deletion_timestamp: self.deleting.then(|| time(self.deleted)),
            ..ObjectMeta::default()
        }
    }

    /// As the coordinator knows it, by way of the one conversion.
    fn object(&self, defaults: &Limits) -> Option<Object> {
        let metadata = self.metadata(FINALIZER);
        match self.spec() {
            Err(why) => {
                let mut known = unreadable(&metadata, &why)?;
                known.phase = phase(self.status.as_ref());
                Some(known)
            }
            Ok(spec) => {
                let skip_gc = self.text("/skipGC").as_ref().and_then(Value::as_bool).unwrap_or_default();
                let backup = VolumeBackup { types: None, metadata, skip_gc, spec, status: self.status.clone() };
                object(&backup, defaults)
            }
        }
    }
}

fn time(at: Timestamp) -> Time {
    Time(jiff::Timestamp::from_millisecond(at.0).unwrap_or_default())
}

pub(super) fn phase(status: Option<&Value>) -> String {
    status.and_then(|status| status.get("phase")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// All objects of a kind, in memory as on disk.
pub(super) struct Store {
    home: Arc<Home>,
    of: Of,
    kept: Mutex<BTreeMap<Key, StoredObject>>,
}

impl Store {
    pub(super) fn open(home: Arc<Home>, of: Of) -> Result<Self, OpenError> {
        let mut all = BTreeMap::new();
        for mut one in kept::read_all::<StoredObject>(&home.inner().join(of.folder()))? {
            one.status = kept::read_status(&of.status_path(&home, &one.key()))?;
            all.insert(one.key(), one);
        }
        Ok(Self { home, of, kept: Mutex::new(all) })
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, BTreeMap<Key, StoredObject>> {
        // Memory is changed after the disk and in one step, so a panicking holder has spoilt nothing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything there is.
    pub(super) fn objects(&self, defaults: &Limits) -> Vec<Object> {
        self.kept().values().filter_map(|kept| kept.object(defaults)).collect()
    }

    /// Takes over what a file says of an object. One that is being deleted is past changing.
    pub(super) fn put(&self, file: &str, document: &Document, now: Timestamp) -> Result<(), PortError> {
        let mut all = self.kept();
        let key = (document.namespace.clone(), document.name.clone());
        let next = match all.get(&key) {
            Some(old) if old.deleting => return Ok(()),
            Some(old) => StoredObject {
                file: file.to_owned(),
                manifest: document.manifest.clone(),
                problem: document.problem.clone(),
                ..old.clone()
            },
            None => StoredObject {
                uid: uuid::Uuid::new_v4().to_string(),
                namespace: document.namespace.clone(),
                name: document.name.clone(),
                file: file.to_owned(),
                deleting: false,
                finalizer: false,
                created: whole_seconds(now),
                deleted: Timestamp::default(),
                manifest: document.manifest.clone(),
                problem: document.problem.clone(),
                status: None,
            },
        };
        if all
            .get(&key)
            .is_some_and(|old| old.file == next.file && old.manifest == next.manifest && old.problem == next.problem)
        {
            return Ok(());
        }
        self.save(&next)?;
        all.insert(key, next);
        Ok(())
    }

    /// Deletes every object that is not in `present`.
    pub(super) fn delete_others(&self, present: &BTreeSet<Key>, now: Timestamp) -> Result<Vec<Key>, PortError> {
        let mut all = self.kept();
        let gone: Vec<StoredObject> =
            all.values().filter(|kept| !kept.deleting && !present.contains(&kept.key())).cloned().collect();
        for mut one in gone.iter().cloned() {
            (one.deleting, one.deleted) = (true, whole_seconds(now));
            self.settle(&mut all, one)?;
        }
        Ok(gone.iter().map(StoredObject::key).collect())
    }

    /// How many objects stand in the user's own files.
    pub(super) fn standing(&self) -> usize {
        self.kept().values().filter(|kept| !kept.deleting && !kept.file.starts_with(MADE)).count()
    }

    /// The manifest of an object, whoever wrote it.
    pub(super) fn manifest(&self, namespace: &str, name: &str) -> Option<Value> {
        self.kept().get(&(namespace.to_owned(), name.to_owned())).map(|kept| kept.manifest.clone())
    }

    /// In which file an object stands that is not being deleted, and its uid.
    pub(super) fn file_of(&self, namespace: &str, name: &str) -> Option<(String, String)> {
        let all = self.kept();
        let kept = all.get(&(namespace.to_owned(), name.to_owned())).filter(|kept| !kept.deleting)?;
        Some((kept.file.clone(), kept.uid.clone()))
    }

    /// Begins the deletion of an object that a schedule made or the console applied. Its file goes first: were it there after a crash, the next
    /// scan would make the object anew.
    pub(super) fn delete(&self, namespace: &str, name: &str, uid: &str, now: Timestamp) -> Result<(), PortError> {
        let mut all = self.kept();
        let key = (namespace.to_owned(), name.to_owned());
        let found = all.get(&key).filter(|kept| kept.uid == uid).cloned();
        let kind = self.of.kind();
        let mut one = found.ok_or_else(|| PortError::NotFound(format!("{kind} {namespace}/{name} ({uid})")))?;
        if !one.file.starts_with(MADE) {
            let file = &one.file;
            return Err(PortError::Unavailable(format!("it stands in {file}, which is yours: remove it there")));
        }
        let path = self.of.made_path(&self.home, namespace, name);
        disk::remove(&path).map_err(|error| unavailable("remove", &path, &error))?;
        if !one.deleting {
            (one.deleting, one.deleted) = (true, whole_seconds(now));
            self.settle(&mut all, one)?;
        }
        Ok(())
    }

    /// Begins the deletion of every backup that this schedule owns.
    pub(super) fn delete_owned(&self, schedule: &str, now: Timestamp) -> Result<(), PortError> {
        let owner = "/metadata/ownerReferences/0/uid";
        let owned: Vec<_> = self
            .kept()
            .values()
            .filter(|kept| kept.manifest.pointer(owner).and_then(Value::as_str) == Some(schedule))
            .map(|kept| (kept.key(), kept.uid.clone()))
            .collect();
        for ((namespace, name), uid) in owned {
            self.delete(&namespace, &name, &uid, now)?;
        }
        Ok(())
    }

    /// Saves a changed object, or forgets it if nothing holds it any more.
    fn settle(&self, all: &mut BTreeMap<Key, StoredObject>, one: StoredObject) -> Result<(), PortError> {
        let key = one.key();
        if one.deleting && !one.finalizer {
            kept::remove([self.of.status_path(&self.home, &key), self.of.path(&self.home, &key)])?;
            all.remove(&key);
        } else {
            self.save(&one)?;
            all.insert(key, one);
        }
        Ok(())
    }

    fn save(&self, one: &StoredObject) -> Result<(), PortError> {
        kept::save(&self.of.path(&self.home, &one.key()), one)
    }

    fn absent(&self, key: &Key, uid: &str) -> PortError {
        PortError::NotFound(format!("{} {}/{} ({uid})", self.of.kind(), key.0, key.1))
    }

    /// Protects the object, or lets it go.
    pub(super) fn protect(&self, key: Key, uid: &str, protected: bool) -> Result<(), PortError> {
        let mut all = self.kept();
        let found = all.get(&key).filter(|kept| kept.uid == uid).cloned();
        let mut one = found.ok_or_else(|| self.absent(&key, uid))?;
        if std::mem::replace(&mut one.finalizer, protected) == protected { Ok(()) } else { self.settle(&mut all, one) }
    }

    /// Writes the status that `merge` makes of the present one, if it differs.
    pub(super) fn publish(
        &self,
        key: Key,
        uid: &str,
        merge: impl FnOnce(Option<&Value>) -> Value,
    ) -> Result<(), PortError> {
        let mut all = self.kept();
        let one = all.get_mut(&key).filter(|kept| kept.uid == uid).ok_or_else(|| self.absent(&key, uid))?;
        let new = merge(one.status.as_ref());
        if one.status.as_ref() == Some(&new) {
            return Ok(());
        }
        let metadata = json!({"name": one.name, "namespace": one.namespace, "uid": one.uid});
        kept::save_status(&self.of.status_path(&self.home, &key), self.of.kind(), metadata, &new)?;
        one.status = Some(new);
        Ok(())
    }
}

/// Status and finalizers in files; events go to the log.
pub struct LocalObjects {
    store: Arc<Store>,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LocalObjects {
    pub(super) fn new(store: Arc<Store>, wall: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { store, wall }
    }
}

fn key(object: &ObjectRef) -> Key {
    (object.namespace.clone(), object.name.clone())
}

#[async_trait]
impl Objects for LocalObjects {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        let (store, object, status, now) = (self.store.clone(), object.clone(), status.clone(), (self.wall)());
        blocking("write a status", move || {
            store.publish(key(&object), object.uid.as_str(), |old| merge_status(old, &status, now))
        })
        .await
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        let (store, object) = (self.store.clone(), object.clone());
        blocking("protect an object", move || store.protect(key(&object), object.uid.as_str(), true)).await
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        let (store, object) = (self.store.clone(), object.clone());
        blocking("let go of an object", move || store.protect(key(&object), object.uid.as_str(), false)).await
    }

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        kept::log_event(KIND, &object.namespace, &object.name, kind, reason, message);
        Ok(())
    }
}
