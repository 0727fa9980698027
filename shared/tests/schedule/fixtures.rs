//! A scheduler with clocks that the test sets, and short words for what it is told and says.

use shared::{
    cron::{Cron, Zone},
    ids::BackupUid,
    machine::Machine,
    retention::{Backup, BackupState, Policy, PolicyText},
    schedule::{CreateResult, DeleteResult, Effect, Input, Object, ScheduleKey, Scheduler, Spec, Status, Timer},
    time::{Instant, Millis, Now, Timestamp},
};
use std::collections::BTreeMap;

pub(crate) const COMPLETE: BackupState = BackupState::Complete { proven: true };
pub(crate) const RUNNING: BackupState = BackupState::Running;
pub(crate) const FAILED: BackupState = BackupState::Failed;

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond())
}

pub(crate) fn key(name: &str) -> ScheduleKey {
    ScheduleKey { namespace: "br".to_owned(), name: name.to_owned() }
}

pub(crate) fn spec(cron: &str) -> Spec {
    Spec {
        cron: Cron::parse(cron).unwrap(),
        pause: false,
        policy: Policy::keep_all(Zone::utc()),
        labels: BTreeMap::from([("team".to_owned(), "db".to_owned())]),
        annotations: BTreeMap::from([("iam.amazonaws.com/role".to_owned(), "backup".to_owned())]),
    }
}

pub(crate) fn limited(cron: &str, max: i32) -> Spec {
    let text = PolicyText { max_backups: Some(max), ..PolicyText::default() };
    Spec { policy: Policy::parse(&text, &Zone::utc()).unwrap(), ..spec(cron) }
}

/// Created on 1 May 2024 at midnight.
pub(crate) fn object(spec: Spec) -> Object {
    let status = Status::default();
    Object { uid: "u1".to_owned(), created: at("2024-05-01T00:00:00Z"), group: None, spec: Ok(spec), status }
}

pub(crate) fn backup(name: &str, state: BackupState) -> Backup {
    let created = shared::schedule::fire_of_name("s", name).unwrap_or_default();
    let uid = BackupUid::new(format!("uid-{name}"));
    Backup { name: name.to_owned(), uid, created, ended: None, state, deleting: None, skip_gc: false, on_hold: false }
}

/// The scheduler and its two clocks.
pub(crate) struct Bench {
    pub(crate) machine: Scheduler,
    pub(crate) now: Now,
}

impl Bench {
    /// Nothing is known; it is this moment, and there is no other clock to ask.
    pub(crate) fn new(wall: &str) -> Self {
        let mut bench = Self::unasked(wall);
        bench.feed(Input::ClockChecked(None));
        bench
    }

    /// Not even that.
    pub(crate) fn unasked(wall: &str) -> Self {
        Self { machine: Scheduler::new(), now: Now { at: Instant(1_000_000), wall: at(wall) } }
    }

    /// One schedule "s" without backups, everything told. Its first effects are dropped.
    pub(crate) fn with(wall: &str, object: Object) -> Self {
        let mut bench = Self::new(wall);
        bench.told("s", object);
        bench.listed("s", vec![]);
        bench.feed(Input::Synced);
        bench
    }

    pub(crate) fn feed(&mut self, input: Input) -> Vec<Effect> {
        self.machine.step(self.now, input)
    }

    pub(crate) fn told(&mut self, name: &str, object: Object) -> Vec<Effect> {
        self.feed(Input::Schedule { key: key(name), object: Box::new(object) })
    }

    pub(crate) fn listed(&mut self, name: &str, backups: Vec<Backup>) -> Vec<Effect> {
        self.feed(Input::Backups { key: key(name), backups })
    }

    pub(crate) fn created(&mut self, name: &str, backup: &str, result: CreateResult) -> Vec<Effect> {
        self.feed(Input::Created { key: key(name), name: backup.to_owned(), result })
    }

    pub(crate) fn deleted(&mut self, backup: &str, result: DeleteResult) -> Vec<Effect> {
        self.feed(Input::Deleted { key: key("s"), name: backup.to_owned(), result })
    }

    /// Both clocks go on by that much; no timer is fired.
    pub(crate) fn wait(&mut self, length: Millis) {
        self.now.at = self.now.at + length;
        self.now.wall.0 += i64::try_from(length.0).unwrap();
    }

    /// Fires timers up to that moment, as the shell does. Says all effects.
    pub(crate) fn until(&mut self, wall: &str) -> Vec<Effect> {
        let end = at(wall);
        let mut effects = Vec::new();
        loop {
            let left = Millis(u64::try_from(end.0 - self.now.wall.0).unwrap());
            match self.machine.deadline().filter(|(due, _)| *due <= self.now.at + left) {
                Some((due, timer)) => {
                    self.wait(due.since(self.now.at));
                    effects.extend(self.expired(timer));
                }
                None => {
                    self.wait(left);
                    return effects;
                }
            }
        }
    }

    fn expired(&mut self, timer: Timer) -> Vec<Effect> {
        let due = self.machine.deadline();
        let effects = self.feed(Scheduler::expired(timer));
        assert_ne!(self.machine.deadline(), due, "{timer:?} is due again at once");
        effects
    }

    pub(crate) fn status(&self, name: &str) -> Status {
        self.machine.view().into_iter().find(|view| view.key == key(name)).unwrap().status
    }
}

/// The effects in short: `create NAME`, `delete NAME: why`, `event REASON: message`; statuses left out.
pub(crate) fn short(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Create(backup) => Some(format!("create {}", backup.name)),
            Effect::Delete { name, why, .. } => Some(format!("delete {name}: {why}")),
            Effect::Event { reason, message, .. } => Some(format!("event {reason}: {message}")),
            Effect::SaveStatus { .. } => None,
        })
        .collect()
}
