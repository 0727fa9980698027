//! What a coordinator needs of the world for schedules.

use super::{
    error::PortError,
    event::{EventKind, WatchEvent},
};
use async_trait::async_trait;
use shared::{
    ids::{BackupUid, PlaneId},
    request::Request,
    retention,
    schedule::{CreateResult, DeleteResult, NewBackup, Object, ScheduleKey, Status},
    time::Timestamp,
};
use tokio::sync::mpsc;

/// Names one VolumeBackupSchedule; another uid under the same key is another schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleRef {
    /// Namespace and name.
    pub key: ScheduleKey,
    /// `metadata.uid`
    pub uid: String,
}

/// One VolumeBackupSchedule as the coordinator understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Namespace and name.
    pub key: ScheduleKey,
    /// `deletionTimestamp` is set: it makes nothing any more.
    pub deleting: bool,
    /// Planes that its template names; whether they exist depends on the coordinator's configuration.
    pub planes: Vec<PlaneId>,
    /// What each of its backups would ask for, but for its name, uid and prefix, which every run has for itself; `None`:
    /// none of them could work.
    pub template: Option<Request>,
    /// For the scheduler.
    pub object: Object,
}

impl Schedule {
    /// Its name in calls.
    pub fn reference(&self) -> ScheduleRef {
        ScheduleRef { key: self.key.clone(), uid: self.object.uid.clone() }
    }
}

/// A VolumeBackup that a schedule made, by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Name of the schedule; its namespace is the backup's.
    pub schedule: String,
    /// For schedule and retention.
    pub backup: retention::Backup,
}

/// What happened to VolumeBackupSchedules.
pub type ScheduleEvent = WatchEvent<ScheduleRef, Schedule>;

/// VolumeBackupSchedules and the backups that they make.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// Tells of schedules until the receiver is gone, like [`Source`](super::Source).
    async fn run(&self, events: mpsc::Sender<ScheduleEvent>);
    /// Makes a VolumeBackup from the template as it stands now. Every outcome is one of the result's.
    async fn create(&self, backup: &NewBackup) -> CreateResult;
    /// Begins the deletion of the VolumeBackup with this uid.
    async fn delete(&self, namespace: &str, name: &str, uid: &BackupUid) -> DeleteResult;
    /// Merges the status; writes nothing if nothing changed.
    async fn publish(&self, schedule: &ScheduleRef, status: &Status) -> Result<(), PortError>;
    /// What the clock says that dates the objects; `None`: it is our own. Bounded in time.
    async fn server_time(&self) -> Result<Option<Timestamp>, PortError> {
        Ok(None)
    }
    /// One event on the schedule.
    async fn event(
        &self,
        schedule: &ScheduleRef,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError>;
}
