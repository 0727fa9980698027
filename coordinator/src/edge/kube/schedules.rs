//! VolumeBackupSchedules of an API server, and the VolumeBackups that they make.

use super::{
    call::{CALL_LIMIT, is_refusal, port_error},
    convert::{merge_schedule_status, run, schedule, unreadable_schedule},
    crd::{SCHEDULE_KIND, VolumeBackup, VolumeBackupSchedule},
    date,
    follow::{Followed, follow},
    untyped::{Target, Untyped, Wall},
};
use crate::{
    config::Share,
    ports::{EventKind, PortError, Schedule, ScheduleEvent, ScheduleRef, Schedules},
};
use async_trait::async_trait;
use kube::{
    Client,
    api::{DeleteParams, DynamicObject, PostParams, Preconditions},
    core::DeserializeGuard,
};
use shared::{
    cron::Zone,
    ids::BackupUid,
    request::Limits,
    schedule::{CreateResult, DeleteResult, NewBackup, Status},
    time::Timestamp,
};
use tokio::{sync::mpsc, time::timeout};

/// Schedules of one coordinator.
#[derive(Clone)]
pub struct KubeSchedules {
    watched: Followed<VolumeBackupSchedule>,
    client: Client,
    schedules: Untyped,
    backups: Untyped,
    defaults: Limits,
    zone: Zone,
}

impl KubeSchedules {
    /// `defaults`: bounds of backups that set none. `zone`: of expressions without one.
    /// `instance` names this process in events.
    pub fn new(client: Client, share: &Share, defaults: Limits, zone: Zone, instance: &str, wall: Wall) -> Self {
        Self {
            watched: Followed::new(client.clone(), share),
            client: client.clone(),
            schedules: Untyped::new::<VolumeBackupSchedule>(client.clone(), instance, wall.clone()),
            backups: Untyped::new::<VolumeBackup>(client, instance, wall),
            defaults,
            zone,
        }
    }

    fn convert(&self, guarded: &DeserializeGuard<VolumeBackupSchedule>) -> Option<(ScheduleRef, Schedule)> {
        let schedule = match &guarded.0 {
            Ok(found) => schedule(found, &self.defaults, &self.zone),
            Err(invalid) => unreadable_schedule(&invalid.metadata, &invalid.error),
        }?;
        self.watched.has(Some(&schedule.key.namespace)).then(|| (schedule.reference(), schedule))
    }

    /// The object to make, from the template as it stands now.
    async fn manifest(&self, new: &NewBackup) -> Result<DynamicObject, CreateResult> {
        let target = Target { uid: &new.schedule_uid, namespace: &new.key.namespace, name: &new.key.name };
        let refused = |why: String| CreateResult::Refused(why);
        let schedule = self.schedules.get(target, "read").await.map_err(|error| refused(error.to_string()))?;
        if schedule.metadata.deletion_timestamp.is_some() {
            return Err(refused("the schedule is being deleted".to_owned()));
        }
        let schedule = serde_json::to_value(&schedule).map_err(|error| refused(error.to_string()))?;
        serde_json::from_value(run::backup(&schedule, new)).map_err(|error| refused(error.to_string()))
    }

    /// The name is taken. By whom?
    async fn taken(&self, new: &NewBackup) -> CreateResult {
        let api = self.backups.api(&new.key.namespace);
        match timeout(CALL_LIMIT, api.get(&new.name)).await {
            Ok(Ok(object)) => match serde_json::to_value(&object) {
                Ok(object) => CreateResult::Exists { ours: run::is_ours(&object, new) },
                Err(error) => CreateResult::Unknown(error.to_string()),
            },
            // Gone again, or no answer: asked again, it is made or found.
            Ok(Err(error)) => CreateResult::Unknown(error.to_string()),
            Err(_) => CreateResult::Unknown("no answer from the API server in time".to_owned()),
        }
    }
}

fn target(schedule: &ScheduleRef) -> Target<'_> {
    Target { uid: &schedule.uid, namespace: &schedule.key.namespace, name: &schedule.key.name }
}

#[async_trait]
impl Schedules for KubeSchedules {
    async fn run(&self, events: mpsc::Sender<ScheduleEvent>) {
        follow(&self.watched, SCHEDULE_KIND, |guarded| self.convert(guarded), events).await;
    }

    async fn create(&self, new: &NewBackup) -> CreateResult {
        let object = match self.manifest(new).await {
            Ok(object) => object,
            Err(result) => return result,
        };
        let what = format!("create VolumeBackup {}/{}", new.key.namespace, new.name);
        let api = self.backups.api(&new.key.namespace);
        match timeout(CALL_LIMIT, api.create(&PostParams::default(), &object)).await {
            Ok(Ok(_)) => CreateResult::Created,
            Ok(Err(kube::Error::Api(status))) if status.reason == "AlreadyExists" => self.taken(new).await,
            Ok(Err(error)) if is_refusal(&error) => CreateResult::Refused(port_error(&what, &error).to_string()),
            Ok(Err(error)) => CreateResult::Unknown(port_error(&what, &error).to_string()),
            Err(_) => CreateResult::Unknown(format!("{what}: no answer from the API server in time")),
        }
    }

    async fn delete(&self, namespace: &str, name: &str, uid: &BackupUid) -> DeleteResult {
        let what = format!("delete VolumeBackup {namespace}/{name}");
        let uid = Some(uid.to_string());
        let parameters = DeleteParams {
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        match timeout(CALL_LIMIT, self.backups.api(namespace).delete(name, &parameters)).await {
            Ok(Ok(_)) => DeleteResult::Deleted,
            Ok(Err(error)) => match port_error(&what, &error) {
                // 409: the uid is another object's.
                PortError::NotFound(_) | PortError::Conflict(_) => DeleteResult::Gone,
                PortError::Unavailable(text) => DeleteResult::Failed(text),
                PortError::Refused(refusal) => DeleteResult::Failed(refusal.to_string()),
            },
            Err(_) => DeleteResult::Failed(format!("{what}: no answer from the API server in time")),
        }
    }

    async fn server_time(&self) -> Result<Option<Timestamp>, PortError> {
        date::of_server(&self.client).await.map(Some)
    }

    async fn publish(&self, schedule: &ScheduleRef, status: &Status) -> Result<(), PortError> {
        let now = (self.schedules.wall)();
        self.schedules.publish(target(schedule), |old| merge_schedule_status(old, status, now)).await
    }

    async fn event(
        &self,
        schedule: &ScheduleRef,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError> {
        self.schedules.event(target(schedule), kind, reason, message).await
    }
}

#[cfg(test)]
mod tests;
