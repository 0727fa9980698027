//! API server, object store, clocks, and the process with its watch. All times are milliseconds since the year began.

use crate::{
    laws,
    objects::{Schedule, Seen, Stored},
    user,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::{
    ids::BackupUid,
    machine::Machine,
    retention::{Backup, BackupState},
    schedule::{CreateResult, DeleteResult, Effect, Input, NewBackup, Object, Phase, ScheduleKey, Scheduler},
    time::{Instant, Now, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const SECOND: i64 = 1000;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;
/// 2024-01-01T00:00:00Z
pub(crate) const START: i64 = 1_704_067_200_000;
/// Objects are read again this often.
const RESYNC: i64 = DAY;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) rng: SmallRng,
    pub(crate) time: i64,
    /// How far the process's wall clock is off.
    pub(crate) skew: i64,
    pub(crate) schedules: BTreeMap<ScheduleKey, Schedule>,
    pub(crate) process: Option<Scheduler>,
    /// When it is started again.
    pub(crate) starts: i64,
    /// Answers on their way to the process.
    answers: Vec<(i64, Input)>,
    resync: i64,
    pub(crate) next_trouble: i64,
    pub(crate) healed: bool,
    uids: u64,
    /// Whose data is there.
    pub(crate) store: BTreeSet<BackupUid>,
    /// Creations whose outcome the process does not know.
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) seen: Seen,
    pub(crate) trace: Vec<(i64, String)>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let schedules = user::schedules(&mut rng);
        Self {
            seed,
            rng,
            time: 0,
            skew: 0,
            schedules,
            process: None,
            starts: 0,
            answers: Vec::new(),
            resync: 0,
            next_trouble: 0,
            healed: false,
            uids: 0,
            store: BTreeSet::new(),
            unknown: BTreeSet::new(),
            seen: Seen::default(),
            trace: Vec::new(),
        }
    }

    pub(crate) fn wall(&self) -> Timestamp {
        Timestamp(START + self.time + self.skew)
    }

    pub(crate) fn now(&self) -> Now {
        Now { at: Instant(self.time.unsigned_abs()), wall: self.wall() }
    }

    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        !self.healed && self.rng.random_range(0..1000) < per_mille
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.rng.random_range(low..high)
    }

    /// Goes on until that time.
    pub(crate) fn run(&mut self, end: i64) {
        while let Some(next) = Some(self.next_event()).filter(|next| *next <= end) {
            assert!(next >= self.time, "seed {}: time goes back", self.seed);
            self.time = next;
            self.advance();
        }
        self.time = end;
    }

    fn next_event(&self) -> i64 {
        let backups = self.schedules.values().flat_map(|schedule| schedule.backups.values());
        let world = backups.map(|stored| match (stored.backup.is_running(), stored.gone) {
            (_, Some(gone)) => gone,
            (true, None) => stored.ends,
            (false, None) => i64::MAX,
        });
        let lists = self.schedules.values().filter_map(|schedule| schedule.list_due.filter(|_| self.process.is_some()));
        let answers = self.answers.iter().map(|(due, _)| *due);
        let process = match &self.process {
            None => self.starts,
            Some(process) => process.deadline().map_or(self.resync, |(due, _)| self.resync.min(cast(due))),
        };
        let all = world.chain(lists).chain(answers).chain([process, self.next_trouble]);
        all.min().unwrap_or(i64::MAX).max(self.time)
    }

    fn advance(&mut self) {
        if !self.healed && self.next_trouble <= self.time {
            user::trouble(self);
        }
        self.backups_go_on();
        if self.process.is_none() {
            if self.starts <= self.time {
                self.start();
            }
            return;
        }
        let timers = self.process.as_ref().and_then(Machine::deadline);
        if let Some((_, timer)) = timers.filter(|(due, _)| cast(*due) <= self.time) {
            self.feed(Scheduler::expired(timer));
        }
        if let Some(at) = self.answers.iter().position(|(due, _)| *due <= self.time) {
            let (_, answer) = self.answers.remove(at);
            self.feed(answer);
        }
        let due = |schedule: &Schedule| schedule.list_due.is_some_and(|due| due <= self.time);
        if let Some(key) = self.schedules.iter().find(|(_, schedule)| due(schedule)).map(|(key, _)| key.clone()) {
            self.list(&key);
        }
        if self.resync <= self.time {
            self.resync = self.time + RESYNC;
            for key in self.schedules.keys().cloned().collect::<Vec<_>>() {
                self.tell(&key);
            }
            self.tell_time();
        }
    }

    /// Running backups end, leaving ones go; the object store follows.
    fn backups_go_on(&mut self) {
        let (time, mut changed) = (self.time, Vec::new());
        for (key, schedule) in &mut self.schedules {
            let before = schedule.backups.len();
            let store = &mut self.store;
            schedule.backups.retain(|_, stored| {
                let gone = stored.gone.is_some_and(|gone| gone <= time);
                if gone {
                    store.remove(&stored.backup.uid);
                }
                !gone
            });
            let mut ended = schedule.backups.len() != before;
            for stored in schedule.backups.values_mut().filter(|stored| stored.backup.is_running()) {
                if stored.ends <= time && stored.gone.is_none() {
                    ended = true;
                    stored.backup.state = if stored.well {
                        store.insert(stored.backup.uid.clone());
                        schedule.had_good = true;
                        BackupState::Complete { proven: true }
                    } else {
                        BackupState::Failed
                    };
                }
            }
            if ended {
                changed.push(key.clone());
            }
        }
        for key in changed {
            self.changed(&key);
        }
    }

    /// The watch shows it soon.
    pub(crate) fn changed(&mut self, key: &ScheduleKey) {
        let due = self.time + self.between(0, 40 * SECOND);
        if let Some(schedule) = self.schedules.get_mut(key) {
            schedule.list_due.get_or_insert(due);
        }
    }

    fn list(&mut self, key: &ScheduleKey) {
        let Some(schedule) = self.schedules.get_mut(key) else { return };
        schedule.list_due = None;
        let backups: Vec<Backup> = schedule.backups.values().map(|stored| stored.backup.clone()).collect();
        schedule.listed.clone_from(&backups);
        self.feed(Input::Backups { key: key.clone(), backups });
    }

    pub(crate) fn tell(&mut self, key: &ScheduleKey) {
        let Some(schedule) = self.schedules.get(key) else { return };
        let object = Object {
            uid: "uid".to_owned(),
            created: Timestamp(START),
            group: schedule.group.clone(),
            spec: Ok(schedule.spec.clone()),
            status: schedule.status.clone(),
        };
        self.feed(Input::Schedule { key: key.clone(), object: Box::new(object) });
    }

    fn start(&mut self) {
        self.process = Some(Scheduler::new());
        self.unknown.clear();
        self.resync = self.time + RESYNC;
        for key in self.schedules.keys().cloned().collect::<Vec<_>>() {
            self.tell(&key);
            self.list(&key);
        }
        self.feed(Input::Synced);
        self.tell_time();
    }

    /// The API server's clock is right.
    fn tell_time(&mut self) {
        self.feed(Input::ClockChecked(Some(Timestamp(START + self.time))));
    }

    pub(crate) fn crash(&mut self, down: i64) {
        self.process = None;
        self.answers.clear();
        self.starts = self.time + down;
        self.seen.crashes += 1;
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let now = self.now();
        let Some(process) = &mut self.process else { return };
        let effects = process.step(now, input);
        self.seen.steps += 1;
        for effect in effects {
            laws::effect(self, &effect);
            self.perform(effect);
            // Between any two effects.
            if self.chance(1) {
                let down = self.between(0, 2 * HOUR);
                self.crash(down);
                break;
            }
        }
        laws::world(self);
    }

    fn answer(&mut self, input: Input) {
        let due = self.time + self.between(SECOND / 10, 20 * SECOND);
        self.answers.push((due, input));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Create(new) => self.create(*new),
            Effect::Delete { key, name, uid, .. } => self.delete(key, name, &uid),
            Effect::SaveStatus { key, status } => {
                if status.phase == Phase::Waiting && status.message.contains("of its group") {
                    self.seen.waited += 1;
                }
                let lost = self.chance(20);
                if let Some(schedule) = self.schedules.get_mut(&key).filter(|_| !lost) {
                    schedule.status = *status;
                }
            }
            Effect::Event { .. } => {}
        }
    }

    fn create(&mut self, new: NewBackup) {
        let NewBackup { key, name, .. } = new;
        let (refused, unknown, lost) = (self.chance(20), self.chance(20), self.chance(10));
        let exists = self.schedules.get(&key).is_some_and(|schedule| schedule.backups.contains_key(&name));
        let made = !exists && !refused && !lost;
        if made {
            self.seen.made += 1;
            self.uids += 1;
            let uid = BackupUid::new(format!("uid-{}", self.uids));
            let created = Timestamp(START + self.time);
            let backup = Backup {
                name: name.clone(),
                uid,
                created,
                ended: None,
                state: BackupState::Running,
                deleting: None,
                skip_gc: false,
                on_hold: false,
            };
            let longest = if self.chance(10) { 4 * DAY } else { 2 * HOUR };
            let ends = self.time + self.between(10 * 60 * SECOND, longest);
            let stored = Stored { backup, ends, well: !self.chance(120), gone: None };
            self.trace.push((self.time, name.clone()));
            if let Some(schedule) = self.schedules.get_mut(&key) {
                schedule.backups.insert(name.clone(), stored);
            }
            laws::made(self, &key, &name);
            self.changed(&key);
        }
        let result = match (exists, refused, unknown || lost) {
            (_, _, true) => {
                self.seen.unknown += 1;
                self.unknown.insert(name.clone());
                CreateResult::Unknown("timed out".to_owned())
            }
            (_, true, _) => CreateResult::Refused("quota".to_owned()),
            (true, _, _) => {
                self.seen.found += 1;
                CreateResult::Exists { ours: true }
            }
            (false, false, false) => CreateResult::Created,
        };
        self.answer(Input::Created { key, name, result });
    }

    fn delete(&mut self, key: ScheduleKey, name: String, uid: &BackupUid) {
        let (refused, lost) = (self.chance(20), self.chance(20));
        let found = self.schedules.get(&key).and_then(|schedule| schedule.backups.get(&name));
        let found = found.is_some_and(|stored| stored.backup.uid == *uid);
        if found && !refused {
            self.seen.deleted += 1;
            self.leave(&key, &name);
        }
        let result = match (found, refused || lost) {
            (_, true) => DeleteResult::Failed("timed out".to_owned()),
            (true, false) => DeleteResult::Deleted,
            (false, false) => DeleteResult::Gone,
        };
        self.answer(Input::Deleted { key, name, result });
    }

    /// A deletion begins; its end takes minutes, or days.
    pub(crate) fn leave(&mut self, key: &ScheduleKey, name: &str) {
        let longest = if self.chance(15) { 5 * DAY } else { HOUR };
        let gone = self.time + self.between(60 * SECOND, longest);
        let now = Timestamp(START + self.time);
        let stored = self.schedules.get_mut(key).and_then(|schedule| schedule.backups.get_mut(name));
        if let Some(stored) = stored.filter(|stored| stored.gone.is_none()) {
            (stored.backup.deleting, stored.gone) = (Some(now), Some(gone));
        }
        self.changed(key);
    }

    /// All faults end: the process runs, the clock is right, nothing is paused.
    pub(crate) fn heal(&mut self) {
        (self.healed, self.skew, self.next_trouble) = (true, 0, i64::MAX);
        self.starts = self.starts.min(self.time + HOUR);
        for schedule in self.schedules.values_mut() {
            schedule.spec.pause = false;
        }
        for key in self.schedules.keys().cloned().collect::<Vec<_>>() {
            self.tell(&key);
        }
    }
}

fn cast(at: Instant) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
