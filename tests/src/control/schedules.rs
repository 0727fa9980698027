//! VolumeBackupSchedules of the control plane in memory, and the VolumeBackups that they make.
//!
//! Odd habits on demand: a creation happens and its answer is lost; statuses of schedules are not taken for a while.

use super::{
    Control, history,
    remembered::{Deleter, Happened, Retired},
};
use async_trait::async_trait;
use coordinator::{
    edge::kube::{
        convert::{self, merge_schedule_status, run},
        crd::VolumeBackupSchedule,
    },
    ports::{EventKind, PortError, ScheduleEvent, ScheduleRef, Schedules, WatchEvent},
};
use serde_json::Value;
use shared::{
    cron::Zone,
    ids::BackupUid,
    schedule::{CreateResult, DeleteResult, NewBackup, SCHEDULE_LABEL, Status},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc;

/// One write of a schedule's status.
const STATUS: Duration = Duration::from_millis(1);

impl Control {
    /// How often somebody wrote a schedule's status.
    pub fn schedule_statuses(&self) -> u64 {
        self.lock().schedule_statuses
    }

    /// `kubectl delete vbks`: it has no finalizer, so it is gone at once. Backups that it owns are collected.
    pub fn delete_schedule(&self, key: &str) {
        let mut inner = self.lock();
        let uid = inner.schedules.remove(key).map(|schedule| schedule["metadata"]["uid"].clone());
        let owned: Vec<_> = inner
            .objects
            .iter()
            .filter(|(_, object)| {
                let owner = object.pointer("/metadata/ownerReferences/0/uid");
                owner.is_some() && owner == uid.as_ref()
            })
            .map(|(key, _)| key.clone())
            .collect();
        drop(inner);
        owned.iter().for_each(|key| self.delete_by(key, Deleter::Owner));
        self.touched();
    }

    fn note_retired(&self, uid: &BackupUid, namespace: &str, name: &str) {
        let at = (self.wall)();
        history::note(&mut self.lock(), |inner| {
            let label = |object: &Value| object["metadata"]["labels"][SCHEDULE_LABEL].as_str().map(str::to_owned);
            let own = inner.objects.get(&format!("{namespace}/{name}")).and_then(label).unwrap_or_default();
            let of =
                |object: &&Value| object["metadata"]["namespace"] == namespace && label(object).as_ref() == Some(&own);
            let schedule = inner.schedules.get(&format!("{namespace}/{own}")).cloned();
            let backups = inner.objects.values().filter(of).cloned().collect();
            Happened::Retired(Box::new(Retired { uid: uid.clone(), schedule, backups, at }))
        });
    }

    /// A schedule as `kubectl get -o yaml` would show it.
    pub fn get_schedule(&self, key: &str) -> Option<Value> {
        self.lock().schedules.get(key).cloned()
    }

    /// Names of the backups that a schedule made, in order, those being deleted included.
    pub fn backups_of(&self, schedule: &str) -> Vec<String> {
        let inner = self.lock();
        let of = inner.objects.values().filter(|object| object["metadata"]["labels"][SCHEDULE_LABEL] == schedule);
        of.filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned)).collect()
    }

    /// Waits until `until` holds of a schedule's status. The caller bounds it in time.
    pub async fn wait_schedule(&self, key: &str, until: impl Fn(&Value) -> bool) {
        let mut changes = self.changed.listen();
        while !self.get_schedule(key).is_some_and(|schedule| until(&schedule["status"])) {
            changes.rung().await;
        }
    }

    /// The next `count` backups are made, and the answers are lost.
    pub fn lose_create_answers(&self, count: u32) {
        self.lock().lose_create_answers = count;
    }

    /// While true, nobody answers who writes a schedule's status.
    pub fn mute_schedule_status(&self, mute: bool) {
        self.lock().mute_schedule_status = mute;
        self.touched();
    }
}

#[async_trait]
impl Schedules for Control {
    async fn run(&self, events: mpsc::Sender<ScheduleEvent>) {
        let mut changes = self.changed.listen();
        let mut known = BTreeMap::new();
        let mut synced = false;
        loop {
            let all: Vec<Value> = self.lock().schedules.values().cloned().collect();
            let mut now = BTreeMap::new();
            for value in all {
                let Ok(found) = serde_json::from_value::<VolumeBackupSchedule>(value) else { continue };
                if let Some(schedule) = convert::schedule(&found, &self.limits, &Zone::utc()) {
                    now.insert(schedule.reference(), schedule);
                }
            }
            let gone = known.keys().filter(|key| !now.contains_key(*key)).cloned().map(WatchEvent::Gone);
            let changed = now.iter().filter(|(key, schedule)| known.get(*key) != Some(*schedule));
            let mut news: Vec<ScheduleEvent> = gone.collect();
            news.extend(changed.map(|(_, schedule)| WatchEvent::Applied(Box::new(schedule.clone()))));
            if !std::mem::replace(&mut synced, true) {
                news.push(WatchEvent::Synced);
            }
            known = now;
            for event in news {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            // The resync of a real source; here only changes matter, and a bound on how late one is seen.
            let _ = tokio::time::timeout(Duration::from_secs(30), changes.rung()).await;
        }
    }

    async fn create(&self, new: &NewBackup) -> CreateResult {
        let schedule = self.get_schedule(&format!("{}/{}", new.key.namespace, new.key.name));
        let uid = |schedule: &Value| schedule["metadata"]["uid"] == new.schedule_uid.as_str();
        let Some(schedule) = schedule.filter(uid) else {
            return CreateResult::Refused("the schedule is gone".to_owned());
        };
        if let Some(taken) = self.get(&format!("{}/{}", new.key.namespace, new.name)) {
            return CreateResult::Exists { ours: run::is_ours(&taken, new) };
        }
        if !self.store(run::backup(&schedule, new), None) {
            return CreateResult::Refused("the namespace is being torn down".to_owned());
        }
        let mut inner = self.lock();
        if inner.lose_create_answers > 0 {
            inner.lose_create_answers -= 1;
            return CreateResult::Unknown("answer lost".to_owned());
        }
        CreateResult::Created
    }

    async fn delete(&self, namespace: &str, name: &str, uid: &BackupUid) -> DeleteResult {
        let key = format!("{namespace}/{name}");
        if self.get(&key).is_none_or(|object| object["metadata"]["uid"] != uid.as_str()) {
            return DeleteResult::Gone;
        }
        self.note_retired(uid, namespace, name);
        self.delete_by(&key, Deleter::Retention);
        DeleteResult::Deleted
    }

    async fn publish(&self, schedule: &ScheduleRef, status: &Status) -> Result<(), PortError> {
        let mut changes = self.changed.listen();
        while self.lock().mute_schedule_status {
            changes.rung().await;
        }
        // Whoever writes again and again must not stop a clock that only waits for him.
        tokio::time::sleep(STATUS).await;
        let now = (self.wall)();
        let key = format!("{}/{}", schedule.key.namespace, schedule.key.name);
        let mut inner = self.lock();
        inner.schedule_statuses += 1;
        let found = inner.schedules.get_mut(&key).filter(|found| found["metadata"]["uid"] == schedule.uid.as_str());
        let Some(found) = found else { return Err(PortError::NotFound(key)) };
        let new = merge_schedule_status(found.get("status"), status, now);
        if found.get("status") != Some(&new) {
            found["status"] = new;
            drop(inner);
            self.touched();
        }
        Ok(())
    }

    async fn event(
        &self,
        schedule: &ScheduleRef,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError> {
        self.lock().events.push(super::EventSeen {
            object: format!("{}/{}", schedule.key.namespace, schedule.key.name),
            normal: kind == EventKind::Normal,
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
        Ok(())
    }
}
