//! What the scheduler remembers of one schedule.

use super::{
    input::{Object, Timer},
    key::ScheduleKey,
};
use crate::{
    cron::Cron,
    ids::BackupUid,
    retention::{Backup, Why},
    time::{Instant, Timestamp},
    timers::Timers,
};
use std::collections::BTreeMap;

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScheduleState {
    pub(super) object: Object,
    /// By name, as last listed.
    pub(super) backups: BTreeMap<String, Backup>,
    pub(super) listed: bool,
    /// Every fire until here is dealt with; `None` until the first look.
    pub(super) done_until: Option<Timestamp>,
    /// The expression and zone that this belongs to.
    pub(super) cron: Option<Cron>,
    /// The first fire after that moment; it may be in the past.
    pub(super) next: Option<Timestamp>,
    /// What is in the way of a due fire.
    pub(super) blocked: Option<Blocked>,
    pub(super) last_backup: String,
    pub(super) last_backup_time: Option<Timestamp>,
    pub(super) clean_time: Option<Timestamp>,
    pub(super) creating: Option<Creating>,
    /// Made, but not yet in a list: it runs. Until when at most that is believed.
    pub(super) unseen: Option<(String, Instant)>,
    pub(super) create_failures: u32,
    /// The last refusal, and when the next try is due.
    pub(super) refused: Option<(String, Instant)>,
    pub(super) deleting: Option<Deleting>,
    pub(super) delete_failures: u32,
    pub(super) delete_again: Option<Instant>,
    /// Why retention deletes nothing, although it has limits; as told.
    pub(super) distrust: Option<String>,
    pub(super) timers: Timers<Timer>,
    /// The last message that was to be saved.
    pub(super) told: String,
}

/// A creation that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Creating {
    pub(super) name: String,
    pub(super) fire: Timestamp,
    /// The outcome is unknown, for this cause; asked again at this moment.
    pub(super) again: Option<(String, Instant)>,
    /// An outcome was unknown once: a later refusal does not say that it was not made before.
    pub(super) unsure: bool,
}

/// A deletion that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Deleting {
    pub(super) name: String,
    pub(super) uid: BackupUid,
    /// For the event.
    pub(super) why: Why,
    /// By the wall clock, for the plan.
    pub(super) since: Timestamp,
    /// Accepted, but not yet in a list. Until when at most that is believed.
    pub(super) unseen: Option<Instant>,
}

/// Why a due fire does not begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Blocked {
    /// A backup of the schedule has not ended.
    Own(String),
    /// Something of that schedule has not ended.
    Group(ScheduleKey),
    /// The last try was refused.
    Refused(String),
    /// Nobody knows what became of the last try.
    Unknown(String),
}

impl ScheduleState {
    pub(super) fn new(object: Object) -> Self {
        let status = &object.status;
        Self {
            last_backup: status.last_backup.clone(),
            last_backup_time: status.last_backup_time,
            clean_time: status.all_backup_clean_time,
            object,
            backups: BTreeMap::new(),
            listed: false,
            done_until: None,
            cron: None,
            next: None,
            blocked: None,
            creating: None,
            unseen: None,
            create_failures: 0,
            refused: None,
            deleting: None,
            delete_failures: 0,
            delete_again: None,
            distrust: None,
            timers: Timers::default(),
            told: String::new(),
        }
    }

    /// A backup of it that has not ended, as far as is known; empty text: not known yet.
    pub(super) fn busy(&self) -> Option<&str> {
        if !self.listed {
            return Some("");
        }
        let asked = self.creating.as_ref().map(|creating| creating.name.as_str());
        let made = self.unseen.as_ref().map(|(name, _)| name.as_str());
        let listed = self.backups.values().find(|backup| backup.is_running()).map(|backup| backup.name.as_str());
        asked.or(made).or(listed)
    }

    /// Its backups, those that are on their way out marked, although the list may not show it yet.
    pub(super) fn history(&self) -> Vec<Backup> {
        self.backups
            .values()
            .map(|backup| {
                let mut backup = backup.clone();
                if let Some(deleting) = self.deleting.as_ref().filter(|deleting| deleting.uid == backup.uid) {
                    backup.deleting = backup.deleting.or(Some(deleting.since));
                }
                backup
            })
            .collect()
    }
}
