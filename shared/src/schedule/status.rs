//! What users see of a schedule.

use super::{
    input::ScheduleKey,
    state::{Blocked, One},
};
use crate::{calendar::rfc3339, retention::last_good, time::Timestamp};

/// `status` of a VolumeBackupSchedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// Name of the last backup that was made; empty: none yet.
    pub last_backup: String,
    /// Its scheduled time, not that of its creation.
    pub last_backup_time: Option<Timestamp>,
    /// The old manager's: when it deleted the last backup. Read as a moment until which all is done; `None` after the
    /// next run.
    pub all_backup_clean_time: Option<Timestamp>,
    /// Ours: the expression that `last_backup_time` belongs to; empty in a status of the old manager.
    pub schedule: String,
    /// Ours: the newest good backup (`retention::last_good`); empty: none.
    pub last_success: String,
    /// Ours: when that ended; of one that does not say it, when it was made.
    pub last_success_time: Option<Timestamp>,
    /// Ours: the next fire; `None`: paused, invalid or never.
    pub next_run: Option<Timestamp>,
    /// Ours.
    pub phase: Phase,
    /// Ours: one sentence on why nothing runs now, one on why nothing is deleted; empty when all is well.
    pub message: String,
    /// Ours: why retention deletes nothing although it should; empty when all is well.
    pub retention_stopped: String,
}

/// How a schedule stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Not looked at yet.
    #[default]
    Unknown,
    /// It waits for its next fire, or its run is being made.
    Active,
    /// A fire is due and something is in its way.
    Waiting,
    /// `spec.pause`
    Paused,
    /// The spec can never work.
    Invalid,
}

impl Phase {
    /// The word in status and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Active => "Active",
            Self::Waiting => "Waiting",
            Self::Paused => "Paused",
            Self::Invalid => "Invalid",
        }
    }
}

/// One schedule for console and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Which.
    pub key: ScheduleKey,
    /// Its group.
    pub group: Option<String>,
    /// The expression; empty for an Invalid one.
    pub cron: String,
    /// Zone of its wall clock.
    pub zone: String,
    /// As in its object, or about to be.
    pub status: Status,
    /// Its backups that have not ended.
    pub running: Vec<String>,
    /// How many backups it has.
    pub backups: usize,
}

impl One {
    /// The status that this state asks for.
    pub(super) fn desired(&self) -> Status {
        let mut status = Status {
            last_backup: self.last_backup.clone(),
            last_backup_time: self.last_backup_time,
            all_backup_clean_time: self.clean_time,
            ..Status::default()
        };
        if let Some(good) = last_good(self.backups.values()) {
            status.last_success = good.name.clone();
            status.last_success_time = good.ended.or(Some(good.created));
        }
        match &self.object.wish {
            Err(refusal) => {
                // Kept, so that a repaired expression is compared with the one that ran.
                status.schedule = self.object.status.schedule.clone();
                status.phase = Phase::Invalid;
                status.message = refusal.to_string();
            }
            Ok(spec) => {
                status.schedule = spec.cron.text().to_owned();
                (status.phase, status.message) = match (spec.pause, &self.blocked) {
                    (true, _) => (Phase::Paused, "spec.pause is true".to_owned()),
                    (false, Some(blocked)) => (Phase::Waiting, self.explain(blocked)),
                    (false, None) if self.next.is_none() => {
                        (Phase::Active, "the expression does not fire within five years".to_owned())
                    }
                    (false, None) => (Phase::Active, String::new()),
                };
                status.next_run = self.next.filter(|_| !spec.pause);
                if let Some(why) = &self.distrust {
                    status.retention_stopped.clone_from(why);
                    let said = [status.message.as_str(), why.as_str()];
                    status.message = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
                }
            }
        }
        status
    }

    fn explain(&self, blocked: &Blocked) -> String {
        let due = self.next.map(rfc3339).unwrap_or_default();
        match blocked {
            Blocked::Own(name) => format!("the run due since {due} waits for backup {name} to end"),
            Blocked::Group(key) => format!("the run due since {due} waits for schedule {} of its group", key.name),
            Blocked::Refused(why) => format!("the run due since {due} could not be made and is tried again: {why}"),
            Blocked::Unknown(why) => {
                format!("it is not known yet whether the run due since {due} was made; it is asked for again: {why}")
            }
        }
    }
}
