//! What users see of a schedule.

use super::key::ScheduleKey;
use crate::time::Timestamp;

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
    /// When the newest one that is proven consistent, and stays, had ended.
    pub last_proven: Option<Timestamp>,
}
