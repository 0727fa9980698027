//! VolumeBackupSchedules of the directory, and the backups that they make: each a file of its own under `.isochron/made`,
//! taken up by the scan like the user's own files.

use super::{
    disk,
    documents::Document,
    follow::tell,
    home::{Home, OpenError, blocking, unavailable, whole_seconds},
    kept,
    layout::{Key, made_path, schedule_path, schedule_status_path},
    objects::Store,
};
use crate::{
    edge::kube::{
        convert::{merge_schedule_status, run, schedule, unreadable_schedule},
        crd::{SCHEDULE_KIND, VolumeBackupSchedule},
    },
    ports::{EventKind, PortError, Schedule, ScheduleEvent, ScheduleRef, Schedules},
};
use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    cron::Zone,
    ids::BackupUid,
    request::Limits,
    schedule::{CreateResult, DeleteResult, NewBackup, ScheduleKey, Status},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::mpsc;

/// What is kept of a schedule.
#[derive(Clone, Serialize, Deserialize)]
struct StoredSchedule {
    /// Drawn at first sight; a name that comes back later gets another.
    uid: String,
    namespace: String,
    name: String,
    /// When it was first seen, in whole seconds like every creationTimestamp.
    created: Timestamp,
    /// In which file it stood last.
    file: String,
    /// Its last good text.
    manifest: Value,
    /// Why its spec cannot be understood.
    problem: Option<String>,
    /// StoredSchedule in a file of its own.
    #[serde(skip)]
    status: Option<Value>,
}

impl StoredSchedule {
    fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    /// As the coordinator knows it, by way of the one conversion.
    fn schedule(&self, defaults: &Limits, zone: &Zone) -> Option<Schedule> {
        let part = |path: &str| self.manifest.pointer(path).cloned();
        let metadata = ObjectMeta {
            uid: Some(self.uid.clone()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            creation_timestamp: Some(Time(jiff::Timestamp::from_millisecond(self.created.0).unwrap_or_default())),
            labels: part("/metadata/labels").and_then(|all| serde_json::from_value(all).ok()),
            annotations: part("/metadata/annotations").and_then(|all| serde_json::from_value(all).ok()),
            ..ObjectMeta::default()
        };
        let spec = serde_json::from_value(part("/spec").unwrap_or_default());
        match (&self.problem, spec) {
            (Some(problem), _) => unreadable_schedule(&metadata, &format!("{}: {problem}", self.file)),
            (None, Err(error)) => unreadable_schedule(&metadata, &format!("{}: {error}", self.file)),
            (None, Ok(spec)) => {
                let found = VolumeBackupSchedule { types: None, metadata, spec, status: self.status.clone() };
                schedule(&found, defaults, zone)
            }
        }
    }
}

/// All schedules, in memory as on disk.
pub(super) struct ScheduleStore {
    home: Arc<Home>,
    kept: Mutex<BTreeMap<Key, StoredSchedule>>,
    /// The first full scan was taken over.
    ready: AtomicBool,
}

impl ScheduleStore {
    pub(super) fn open(home: Arc<Home>) -> Result<Self, OpenError> {
        let mut all = BTreeMap::new();
        for mut one in kept::read_all::<StoredSchedule>(&home.inner().join("schedules"))? {
            one.status = kept::read_status(&schedule_status_path(&home, &one.key()))?;
            all.insert(one.key(), one);
        }
        Ok(Self { home, kept: Mutex::new(all), ready: AtomicBool::new(false) })
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Key, StoredSchedule>> {
        // Memory is changed after the disk and in one step, so a panicking holder has spoilt nothing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every file was read at least once.
    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Was every file read?
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Takes over what a file says of a schedule.
    pub(super) fn put(&self, file: &str, document: &Document, now: Timestamp) -> Result<(), PortError> {
        let mut all = self.kept();
        let key = (document.namespace.clone(), document.name.clone());
        let old = all.get(&key);
        let same = |old: &&StoredSchedule| {
            old.file == file && old.manifest == document.manifest && old.problem == document.problem
        };
        if old.filter(same).is_some() {
            return Ok(());
        }
        let next = StoredSchedule {
            uid: old.map_or_else(|| uuid::Uuid::new_v4().to_string(), |old| old.uid.clone()),
            namespace: document.namespace.clone(),
            name: document.name.clone(),
            created: old.map_or_else(|| whole_seconds(now), |old| old.created),
            file: file.to_owned(),
            manifest: document.manifest.clone(),
            problem: document.problem.clone(),
            status: old.and_then(|old| old.status.clone()),
        };
        kept::save(&schedule_path(&self.home, &key), &next)?;
        all.insert(key, next);
        Ok(())
    }

    /// Forgets every schedule that is not in `present`; returns names and uids.
    pub(super) fn delete_others(&self, present: &BTreeSet<Key>) -> Result<Vec<(Key, String)>, PortError> {
        let mut all = self.kept();
        let gone: Vec<_> = all
            .values()
            .filter(|kept| !present.contains(&kept.key()))
            .map(|kept| (kept.key(), kept.uid.clone()))
            .collect();
        for (key, _) in &gone {
            kept::remove([schedule_status_path(&self.home, key), schedule_path(&self.home, key)])?;
            all.remove(key);
        }
        Ok(gone)
    }

    /// In which file a schedule stands, and its uid.
    pub(super) fn file_of(&self, namespace: &str, name: &str) -> Option<(String, String)> {
        let all = self.kept();
        let kept = all.get(&(namespace.to_owned(), name.to_owned()))?;
        Some((kept.file.clone(), kept.uid.clone()))
    }

    fn schedules(&self, defaults: &Limits, zone: &Zone) -> Vec<Schedule> {
        self.kept().values().filter_map(|kept| kept.schedule(defaults, zone)).collect()
    }

    /// The manifest, with what an API server would have added.
    fn manifest(&self, key: &ScheduleKey, uid: &str) -> Option<Value> {
        let all = self.kept();
        let kept = all.get(&(key.namespace.clone(), key.name.clone())).filter(|kept| kept.uid == uid)?;
        Some(kept.manifest.clone())
    }

    fn publish(&self, target: &ScheduleRef, status: &Status, now: Timestamp) -> Result<(), PortError> {
        let mut all = self.kept();
        let key = (target.key.namespace.clone(), target.key.name.clone());
        let Some(one) = all.get_mut(&key).filter(|kept| kept.uid == target.uid) else {
            return Err(PortError::NotFound(format!("{SCHEDULE_KIND} {}/{}", key.0, key.1)));
        };
        let new = merge_schedule_status(one.status.as_ref(), status, now);
        if one.status.as_ref() == Some(&new) {
            return Ok(());
        }
        let metadata = json!({"name": one.name, "namespace": one.namespace, "uid": one.uid});
        kept::save_status(&schedule_status_path(&self.home, &key), SCHEDULE_KIND, metadata, &new)?;
        one.status = Some(new);
        Ok(())
    }
}

/// Schedules of a directory.
pub struct LocalSchedules {
    home: Arc<Home>,
    schedules: Arc<ScheduleStore>,
    backups: Arc<Store>,
    defaults: Limits,
    zone: Zone,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LocalSchedules {
    pub(super) fn new(
        home: Arc<Home>,
        schedules: Arc<ScheduleStore>,
        backups: Arc<Store>,
        defaults: Limits,
        zone: Zone,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self { home, schedules, backups, defaults, zone, wall }
    }
}

/// Writes the file of a backup, unless its name is taken.
fn make(home: &Home, schedules: &ScheduleStore, backups: &Store, new: &NewBackup) -> CreateResult {
    let Some(schedule) = schedules.manifest(&new.key, &new.schedule_uid) else {
        return CreateResult::Refused("the schedule is gone".to_owned());
    };
    let path = made_path(home, &new.key.namespace, &new.name);
    match disk::read(&path) {
        Ok(None) => {}
        // Nobody but us writes there; the scan has not come by yet.
        Ok(Some(_)) => return CreateResult::Exists { ours: true },
        Err(error) => return CreateResult::Unknown(unavailable("read", &path, &error).to_string()),
    }
    if let Some(manifest) = backups.manifest(&new.key.namespace, &new.name) {
        return CreateResult::Exists { ours: run::is_ours(&manifest, new) };
    }
    match serde_saphyr::to_string(&run::backup(&schedule, new)) {
        Ok(text) => match disk::write(&path, text.as_bytes()) {
            Ok(()) => CreateResult::Created,
            Err(error) => CreateResult::Unknown(unavailable("write", &path, &error).to_string()),
        },
        Err(error) => CreateResult::Refused(error.to_string()),
    }
}

#[async_trait]
impl Schedules for LocalSchedules {
    async fn run(&self, events: mpsc::Sender<ScheduleEvent>) {
        // The scan itself is the source of VolumeBackups' business.
        let look = || async {
            let all = self.schedules.schedules(&self.defaults, &self.zone);
            let all = all.into_iter().map(|schedule| (schedule.reference(), schedule));
            self.schedules.is_ready().then(|| all.collect())
        };
        tell(look, events).await;
    }

    async fn create(&self, new: &NewBackup) -> CreateResult {
        let (home, schedules, backups) = (self.home.clone(), self.schedules.clone(), self.backups.clone());
        let new = new.clone();
        let made = blocking("make a backup", move || {
            let keep = home.clone();
            Ok(keep.alone(|| make(&home, &schedules, &backups, &new)))
        });
        made.await.unwrap_or_else(|error| CreateResult::Unknown(error.to_string()))
    }

    async fn delete(&self, namespace: &str, name: &str, uid: &BackupUid) -> DeleteResult {
        let (backups, now) = (self.backups.clone(), (self.wall)());
        let (namespace, name, uid) = (namespace.to_owned(), name.to_owned(), uid.clone());
        match blocking("delete a backup", move || backups.delete(&namespace, &name, uid.as_str(), now)).await {
            Ok(()) => DeleteResult::Deleted,
            Err(PortError::NotFound(_)) => DeleteResult::Gone,
            Err(error) => DeleteResult::Failed(error.to_string()),
        }
    }

    async fn publish(&self, schedule: &ScheduleRef, status: &Status) -> Result<(), PortError> {
        let (store, schedule, status, now) = (self.schedules.clone(), schedule.clone(), status.clone(), (self.wall)());
        blocking("write a status", move || store.publish(&schedule, &status, now)).await
    }

    async fn event(
        &self,
        schedule: &ScheduleRef,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError> {
        kept::log_event(SCHEDULE_KIND, &schedule.key.namespace, &schedule.key.name, kind, reason, message);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
