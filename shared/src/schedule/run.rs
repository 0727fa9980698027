//! Runs: what is done, what is due, and how it is made.

use super::{
    input::{CreateResult, Effect, EventKind, NewBackup, Step},
    key::ScheduleKey,
    names::{backup_name, fire_of_name, run_annotations, run_labels},
    state::{Blocked, Creating, ScheduleState},
};
use crate::{
    backoff::{Backoff, seed},
    retention::Backup,
    time::{Instant, Millis, Now, Timestamp},
};

/// How far "done" may lie ahead of the clock and be waited for. Summer time, a clock set by hand and a leap of NTP are
/// below it; more says that an earlier clock was wrong.
pub const MAX_AHEAD: Millis = Millis::secs(24 * 3600);

/// Between tries of a creation or a deletion.
pub(super) const AGAIN: Backoff = Backoff { first: Millis::secs(2), cap: Millis::secs(300) };

/// How long something that was made or deleted may be missing from lists before the memory of it is given up.
pub(super) const UNSEEN: Millis = Millis::secs(300);

impl ScheduleState {
    /// Brings "done" up to date: the first look, a changed expression, a clock that went back.
    pub(super) fn settle(&mut self, now: Now, key: &ScheduleKey) {
        let Ok(spec) = &self.object.spec else { return };
        let cron = spec.cron.clone();
        let before = self.done_until;
        let mut done = match before {
            None => self.first_look(now, key, cron.text()),
            Some(done) if self.cron.as_ref() != Some(&cron) => done.max(now.wall),
            Some(done) => done,
        };
        if done.0 > now.wall.0.saturating_add(i64::try_from(MAX_AHEAD.0).unwrap_or(i64::MAX)) {
            done = now.wall;
        }
        if before != Some(done) || self.cron.as_ref() != Some(&cron) {
            self.next = cron.next_after(done);
            (self.done_until, self.cron) = (Some(done), Some(cron));
        }
    }

    fn first_look(&mut self, now: Now, key: &ScheduleKey, expression: &str) -> Timestamp {
        let status = &self.object.status;
        let stored = status.last_backup_time.or(status.all_backup_clean_time).unwrap_or(self.object.created);
        let changed = !status.schedule.is_empty() && status.schedule != expression;
        let done = if changed { stored.max(now.wall) } else { stored };
        self.newest_listed(now, key).map_or(done, |(fire, name)| {
            if self.last_backup_time.is_none_or(|last| last < fire) {
                (self.last_backup, self.last_backup_time, self.clean_time) = (name, Some(fire), None);
            }
            done.max(fire)
        })
    }

    /// The newest fire that a listed backup was made for, and its name. One ahead of the clock is found by its name when
    /// its time comes.
    fn newest_listed(&self, now: Now, key: &ScheduleKey) -> Option<(Timestamp, String)> {
        self.backups
            .keys()
            .filter_map(|name| Some((fire_of_name(&key.name, name)?, name.clone())))
            .filter(|(fire, _)| *fire <= now.wall)
            .max()
    }

    /// A list of all its backups.
    pub(super) fn listed(&mut self, backups: Vec<Backup>) {
        self.backups = backups.into_iter().map(|backup| (backup.name.clone(), backup)).collect();
        self.listed = true;
        if self.unseen.as_ref().is_some_and(|(name, _)| self.backups.contains_key(name)) {
            self.unseen = None;
        }
        let backups = &self.backups;
        let found = |creating: &mut Creating| creating.again.is_some() && backups.contains_key(&creating.name);
        if let Some(creating) = self.creating.take_if(found) {
            self.made(creating.name, creating.fire);
        }
        self.deletion_listed();
    }

    /// Begins the run that is due, unless something is in its way. `other`: a schedule of the group that is busy.
    pub(super) fn run(&mut self, key: &ScheduleKey, other: Option<ScheduleKey>, step: &mut Step) {
        self.unseen.take_if(|(_, until)| *until <= step.now.at);
        self.blocked = self.try_run(key, other, step);
    }

    fn try_run(&mut self, key: &ScheduleKey, other: Option<ScheduleKey>, step: &mut Step) -> Option<Blocked> {
        let spec = self.object.spec.as_ref().ok().filter(|spec| !spec.pause);
        let Some(spec) = spec else {
            // It is not asked for again. It may have been made all the same: until a list shows it, or could have.
            if let Some(creating) = self.creating.take_if(|creating| creating.again.is_some()) {
                self.unseen = Some((creating.name, step.now.at + UNSEEN));
            }
            return None;
        };
        if let Some(creating) = &mut self.creating {
            let (why, at) = creating.again.clone()?;
            if at > step.now.at {
                return Some(Blocked::Unknown(why));
            }
            // Perhaps it was not made, and something else has begun meanwhile (another process's run).
            if let Some(running) = self.backups.values().find(|backup| backup.is_running()) {
                return Some(Blocked::Own(running.name.clone()));
            }
            creating.again = None;
            let (name, fire) = (creating.name.clone(), creating.fire);
            step.push(self.create(key, name, fire)?);
            return None;
        }
        self.next.filter(|next| *next <= step.now.wall)?;
        let fire = spec.cron.last_between(self.done_until?, step.now.wall)?;
        let name = backup_name(&key.name, fire);
        if self.backups.contains_key(&name) {
            self.made(name, fire);
            return None;
        }
        if let Some(busy) = self.busy() {
            return Some(Blocked::Own(busy.to_owned()));
        }
        if let Some(other) = other {
            return Some(Blocked::Group(other));
        }
        if let Some((why, _)) = self.refused.as_ref().filter(|(_, at)| *at > step.now.at) {
            return Some(Blocked::Refused(why.clone()));
        }
        step.push(self.create(key, name.clone(), fire)?);
        self.creating = Some(Creating { name, fire, again: None, unsure: false });
        None
    }

    fn create(&self, key: &ScheduleKey, name: String, fire: Timestamp) -> Option<Effect> {
        let spec = self.object.spec.as_ref().ok()?;
        Some(Effect::Create(Box::new(NewBackup {
            key: key.clone(),
            schedule_uid: self.object.uid.clone(),
            name,
            fire,
            labels: run_labels(&key.name, &spec.labels),
            annotations: run_annotations(&spec.annotations),
        })))
    }

    /// The run of `fire` exists: it and everything before it is done.
    fn made(&mut self, name: String, fire: Timestamp) {
        (self.last_backup, self.last_backup_time, self.clean_time) = (name, Some(fire), None);
        (self.create_failures, self.refused) = (0, None);
        self.done(fire);
    }

    fn done(&mut self, fire: Timestamp) {
        let done = self.done_until.map_or(fire, |done| done.max(fire));
        self.done_until = Some(done);
        self.next = self.cron.as_ref().and_then(|cron| cron.next_after(done));
    }

    /// What became of a creation. Answers to what was not asked, or is asked no more, are ignored.
    pub(super) fn created(&mut self, key: &ScheduleKey, name: &str, result: CreateResult, step: &mut Step) {
        let Some(mut creating) = self.creating.take_if(|creating| creating.name == name && creating.again.is_none())
        else {
            return;
        };
        let event = |kind, reason, message| Effect::Event { key: key.clone(), kind, reason, message };
        match result {
            CreateResult::Created | CreateResult::Exists { ours: true } => {
                if result == CreateResult::Created {
                    step.push(event(EventKind::Normal, "SuccessfulCreate", format!("created backup {name}")));
                }
                if !self.backups.contains_key(name) {
                    self.unseen = Some((name.to_owned(), step.now.at + UNSEEN));
                }
                self.made(creating.name, creating.fire);
            }
            CreateResult::Exists { ours: false } => {
                let message = format!(
                    "backup {name} exists and is not of this schedule (label {}); this run is skipped",
                    super::SCHEDULE_LABEL
                );
                step.push(event(EventKind::Warning, "FailedCreate", message));
                self.done(creating.fire);
            }
            CreateResult::Refused(why) => {
                let at = self.create_again(step.now, name);
                if creating.unsure {
                    self.unseen = Some((creating.name, step.now.at + UNSEEN));
                }
                if self.create_failures == 1 {
                    let message = format!("backup {name} could not be created: {why}");
                    step.push(event(EventKind::Warning, "FailedCreate", message));
                }
                self.refused = Some((why, at));
            }
            CreateResult::Unknown(why) => {
                creating.again = Some((why, self.create_again(step.now, name)));
                creating.unsure = true;
                self.creating = Some(creating);
            }
        }
    }

    fn create_again(&mut self, now: Now, name: &str) -> Instant {
        self.create_failures = self.create_failures.saturating_add(1);
        now.at + AGAIN.wait(self.create_failures, seed(name))
    }
}
