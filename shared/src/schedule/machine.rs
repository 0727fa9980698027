//! The machine: takes inputs, looks again at the schedules that an input can have changed, and sets their timers.

use super::{
    clock::WallCheck,
    input::{Effect, EventKind, Input, Object, Step, Timer},
    key::ScheduleKey,
    state::ScheduleState,
    status::View,
};
use crate::{
    machine::Machine,
    retention::{Backup, Plan, last_proven},
    time::{Instant, Millis, Now, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest sleep: a wall clock that was set is noticed at the latest then (and at every input).
const LOOK: Millis = Millis::secs(6 * 3600);

/// All schedules of a coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scheduler {
    synced: bool,
    /// The process is to end.
    ending: bool,
    clock: WallCheck,
    schedules: BTreeMap<ScheduleKey, ScheduleState>,
}

impl Scheduler {
    /// Knows nothing yet. The start and the recovery are the same: everything is told again.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every schedule, for status, console and metrics.
    #[must_use]
    pub fn view(&self) -> Vec<View> {
        self.schedules
            .iter()
            .map(|(key, one)| {
                let cron = one.object.spec.as_ref().ok().map(|spec| &spec.cron);
                View {
                    key: key.clone(),
                    group: one.object.group.clone(),
                    cron: cron.map(|cron| cron.text().to_owned()).unwrap_or_default(),
                    zone: cron.map(|cron| cron.zone().name().to_owned()).unwrap_or_default(),
                    status: one.object.status.clone(),
                    running: one
                        .backups
                        .values()
                        .filter(|backup| backup.is_running())
                        .map(|backup| backup.name.clone())
                        .collect(),
                    backups: one.backups.len(),
                    last_proven: last_proven(one.backups.values()),
                }
            })
            .collect()
    }

    /// What is to happen to a schedule's backups at any date; `None`: no such schedule, or an Invalid one.
    #[must_use]
    pub fn plan(&self, key: &ScheduleKey, at: Timestamp) -> Option<Plan> {
        self.schedules.get(key)?.plan(at)
    }

    /// How far the wall clock is ahead of where it has to be, in milliseconds, and why nothing is deleted for it.
    #[must_use]
    pub fn clock(&self, now: Now) -> (i64, Option<String>) {
        (self.clock.by(now), self.clock.trouble())
    }

    fn schedule(&mut self, key: ScheduleKey, object: Object) -> BTreeSet<ScheduleKey> {
        let mut touched = self.group_of(&key);
        let mut one = ScheduleState::new(object);
        if let Some(old) = self.schedules.remove(&key) {
            if old.object.uid == one.object.uid {
                one = ScheduleState { object: one.object, ..old };
            } else {
                // Lists go by name, whichever object bears it.
                (one.backups, one.listed) = (old.backups, old.listed);
            }
        }
        self.schedules.insert(key.clone(), one);
        touched.append(&mut self.group_of(&key));
        touched
    }

    /// A schedule and those of its group.
    fn group_of(&self, key: &ScheduleKey) -> BTreeSet<ScheduleKey> {
        let group = self.schedules.get(key).and_then(|one| one.object.group.as_ref());
        let mates = self
            .schedules
            .iter()
            .filter(|(other, one)| {
                group.is_some() && one.object.group.as_ref() == group && other.namespace == key.namespace
            })
            .map(|(other, _)| other.clone());
        mates.chain([key.clone()]).collect()
    }

    /// Another schedule of the group that has something running, or may have.
    fn busy_mate(&self, key: &ScheduleKey) -> Option<ScheduleKey> {
        let busy = |other: &ScheduleKey| self.schedules.get(other).is_some_and(|one| one.busy().is_some());
        self.group_of(key).into_iter().find(|other| other != key && busy(other))
    }

    fn backups(&mut self, key: &ScheduleKey, backups: Vec<Backup>) -> BTreeSet<ScheduleKey> {
        match self.schedules.get_mut(key) {
            Some(one) => one.listed(backups),
            None => return BTreeSet::new(),
        }
        self.group_of(key)
    }

    /// Whose timer it was, and their groups.
    fn woken(&self, now: Now, timer: Timer) -> BTreeSet<ScheduleKey> {
        self.schedules
            .iter()
            .filter(|(_, one)| one.timers.at(timer).is_some_and(|at| at <= now.at))
            .flat_map(|(key, _)| self.group_of(key))
            .collect()
    }

    /// Looks again at these schedules; whose last run is the longest ago comes first, and begins first.
    fn look(&mut self, touched: BTreeSet<ScheduleKey>, step: &mut Step) {
        if !self.synced || self.ending {
            return;
        }
        let mut order: Vec<_> =
            touched.into_iter().filter_map(|key| Some((self.schedules.get(&key)?.last_backup_time, key))).collect();
        order.sort_unstable();
        for (_, key) in order {
            let mate = self.busy_mate(&key);
            let clock = &self.clock;
            if let Some(one) = self.schedules.get_mut(&key).filter(|one| one.listed) {
                one.look(&key, mate, clock, step);
            }
        }
    }
}

impl ScheduleState {
    fn look(&mut self, key: &ScheduleKey, mate: Option<ScheduleKey>, clock: &WallCheck, step: &mut Step) {
        self.settle(step.now, key);
        self.run(key, mate, step);
        self.heed_clock(key, clock.trouble(), step);
        let retention = self.retain(key, clock.trusts(), step);
        let status = self.desired();
        if self.object.status != status {
            // Of one cause there is one event. What is stored may be cut off, and what was read older than that.
            let stored = self.object.status.message.trim_end_matches('.');
            let told = self.told == status.message || !stored.is_empty() && status.message.starts_with(stored);
            self.told.clone_from(&status.message);
            let refused = self.object.spec.as_ref().err().filter(|_| !told);
            let event = refused.map(|refusal| Effect::Event {
                key: key.clone(),
                kind: EventKind::Warning,
                reason: refusal.reason.as_str(),
                message: refusal.message.clone(),
            });
            // Until the object is read again it counts as stored.
            self.object.status = status.clone();
            step.push(Effect::SaveStatus { key: key.clone(), status: Box::new(status) });
            step.out.extend(event);
        }
        self.arm(step.now, retention);
    }

    /// Sets every timer anew, all of them after now.
    fn arm(&mut self, now: Now, retention: Option<Timestamp>) {
        let wall = |at: Timestamp| now.at + at.since(now.wall).clamp(Millis(1), LOOK);
        let runs = self.object.spec.as_ref().is_ok_and(|spec| !spec.pause);
        let next = self.next.filter(|next| runs && *next > now.wall);
        let create_again = match (&self.creating, &self.refused) {
            (Some(creating), _) => creating.again.as_ref().map(|(_, at)| *at),
            (None, refused) => refused.as_ref().map(|(_, at)| *at).filter(|_| runs),
        };
        let unseen = self.unseen.as_ref().map(|(_, until)| *until);
        let gone = self.deleting.as_ref().and_then(|deleting| deleting.unseen);
        let timers: [(Timer, Option<Instant>); 5] = [
            (Timer::Fire, next.map(wall)),
            (Timer::Retention, retention.map(wall)),
            (Timer::CreateAgain, create_again),
            (Timer::DeleteAgain, self.delete_again),
            (Timer::Unseen, unseen.into_iter().chain(gone).min()),
        ];
        self.timers =
            timers.into_iter().filter_map(|(timer, at)| Some((timer, at.filter(|at| *at > now.at)?))).collect();
    }
}

impl Machine for Scheduler {
    type Input = Input;
    type Effect = Effect;
    type Timer = Timer;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut step = Step::new(now);
        let touched = match input {
            Input::Schedule { key, object } => self.schedule(key, *object),
            Input::ScheduleGone(key) => {
                let touched = self.group_of(&key);
                self.schedules.remove(&key);
                touched
            }
            Input::Backups { key, backups } => self.backups(&key, backups),
            Input::Synced => {
                self.synced = true;
                self.schedules.keys().cloned().collect()
            }
            Input::BeginNothing => {
                self.ending = true;
                BTreeSet::new()
            }
            Input::Created { key, name, result } => {
                if let Some(one) = self.schedules.get_mut(&key) {
                    one.created(&key, &name, result, &mut step);
                }
                self.group_of(&key)
            }
            Input::Deleted { key, name, result } => {
                if let Some(one) = self.schedules.get_mut(&key) {
                    one.deleted(&key, &name, result, &mut step);
                }
                self.group_of(&key)
            }
            Input::ClockChecked(server) => {
                // Nothing was deleted before the first word.
                let first = !self.clock.is_known();
                self.clock.checked(now, server);
                if first { self.schedules.keys().cloned().collect() } else { BTreeSet::new() }
            }
            Input::Expired(timer) => self.woken(now, timer),
        };
        // Last, because the word that just came is part of it.
        let turned = self.clock.look(now);
        let touched = if turned { self.schedules.keys().cloned().collect() } else { touched };
        self.look(touched, &mut step);
        step.out
    }

    fn deadline(&self) -> Option<(Instant, Timer)> {
        if self.ending {
            return None;
        }
        let clock = self.clock.deadline().map(|at| (at, Timer::Clock));
        self.schedules.values().flat_map(|one| one.timers.due()).chain(clock).min()
    }

    fn expired(timer: Timer) -> Input {
        Input::Expired(timer)
    }
}
