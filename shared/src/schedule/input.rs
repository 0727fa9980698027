//! What the scheduler is told, and what it wants done.

use super::{key::ScheduleKey, status::Status};
use crate::{
    cron::Cron,
    ids::BackupUid,
    reason::Refusal,
    retention::{Backup, Policy, Why},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// One VolumeBackupSchedule as it was last read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// `metadata.uid`; another one under the same name is another schedule.
    pub uid: String,
    /// `metadata.creationTimestamp`
    pub created: Timestamp,
    /// Value of the group label, if there is one.
    pub group: Option<String>,
    /// What it asks for, or why that can never work.
    pub spec: Result<Spec, Refusal>,
    /// `status` as it stands.
    pub status: Status,
}

/// A schedule's spec, after every check that needs no world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// `spec.schedule`, with its zone.
    pub cron: Cron,
    /// `spec.pause`
    pub pause: bool,
    /// What stays.
    pub policy: Policy,
    /// The schedule's own labels.
    pub labels: BTreeMap<String, String>,
    /// The schedule's own annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A schedule exists, like this. Repeating it changes nothing.
    Schedule {
        /// Which.
        key: ScheduleKey,
        /// How it was read.
        object: Box<Object>,
    },
    /// A schedule is gone, or is being deleted: it makes and deletes nothing any more.
    ScheduleGone(ScheduleKey),
    /// All backups that bear this schedule's label; the list may be older than the last effect.
    Backups {
        /// Whose.
        key: ScheduleKey,
        /// All of them.
        backups: Vec<Backup>,
    },
    /// Every schedule that exists has been told.
    Synced,
    /// The process is to end: nothing is begun any more.
    BeginNothing,
    /// What became of [`Effect::Create`].
    Created {
        /// Whose.
        key: ScheduleKey,
        /// Of which name.
        name: String,
        /// How it went.
        result: CreateResult,
    },
    /// What became of [`Effect::Delete`].
    Deleted {
        /// Whose.
        key: ScheduleKey,
        /// Of which name.
        name: String,
        /// How it went.
        result: DeleteResult,
    },
    /// What the clock of the API server says now; `None`: there is none to ask. Until it was told, nothing is deleted.
    ClockChecked(Option<Timestamp>),
    /// A timer ran out.
    Expired(Timer),
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CreateResult {
    /// It exists now.
    Created,
    /// The name was taken; `ours`: by an object with this schedule's label.
    Exists {
        /// It bears this schedule's label.
        ours: bool,
    },
    /// It was certainly not made; the text says why.
    Refused(String),
    /// Nobody knows whether it was made; the text says why.
    Unknown(String),
}

/// What became of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeleteResult {
    /// It is being deleted now.
    Deleted,
    /// It is not there, or another object has its name.
    Gone,
    /// Not done, or nobody knows; the text says why.
    Failed(String),
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Make a VolumeBackup from the schedule's template; answered by [`Input::Created`], always.
    Create(Box<NewBackup>),
    /// Delete a VolumeBackup, if it still has this uid; answered by [`Input::Deleted`], always.
    Delete {
        /// Whose.
        key: ScheduleKey,
        /// `metadata.name`
        name: String,
        /// Precondition of the deletion.
        uid: BackupUid,
        /// For the event.
        why: Why,
    },
    /// Merge this into the schedule's status. Not answered: the next [`Input::Schedule`] shows whether it was stored.
    SaveStatus {
        /// Whose.
        key: ScheduleKey,
        /// Whole.
        status: Box<Status>,
    },
    /// An event on the schedule, with one of the old manager's reasons, or the word of a refusal.
    Event {
        /// Whose.
        key: ScheduleKey,
        /// Normal or Warning.
        kind: EventKind,
        /// SuccessfulCreate, FailedCreate, SuccessfulDelete, FailedDelete; ours: ClockSkewed, ClockTrusted; of an Invalid
        /// schedule why it is that.
        reason: &'static str,
        /// For a person.
        message: String,
    },
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// For the record.
    Normal,
    /// A person should look.
    Warning,
}

/// A VolumeBackup to make: `metadata` and what of the spec is not the template's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewBackup {
    /// Of which schedule; its namespace is the backup's.
    pub key: ScheduleKey,
    /// The schedule's uid.
    pub schedule_uid: String,
    /// `metadata.name`
    pub name: String,
    /// The scheduled time; `template.s3.prefix` becomes
    /// [`scheduled_prefix`](super::scheduled_prefix)`(prefix, fire)`.
    pub fire: Timestamp,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`
    pub annotations: BTreeMap<String, String>,
}

/// Why the scheduler wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A schedule fires, or its clock is looked at again on the way there.
    Fire,
    /// A backup becomes too old, or a stuck deletion is waited for no longer.
    Retention,
    /// A creation is tried again.
    CreateAgain,
    /// A deletion is tried again.
    DeleteAgain,
    /// What was made or deleted has not been seen in a list for too long.
    Unseen,
    /// A wall clock that jumped has gone steadily for long enough.
    Clock,
}

/// One step of this machine, under way.
pub(super) type Step = crate::machine::Step<Effect>;
