//! Schedules: one actor for all of them, around the one machine that decides what is made and what is deleted. It never
//! touches a barrier: a backup that it makes is a VolumeBackup like any other, and comes back through the source.

mod clock;
mod effects;
mod messages;
mod saving;

pub use messages::{AskSchedules, BeginNothing, LedgerKnown, ScheduleSeen};

use super::{
    messages::{Known, ObjectSeen},
    outcomes::Outcomes,
    planes::Allowed,
};
use crate::{
    config::Prices,
    console::{self, Worth},
    metrics::Metrics,
    ports::{Object, ObjectEvent, Ports, Schedule, ScheduleEvent},
    standing::Standing,
};
use actix::{Actor, Context, Handler};
use saving::Saving;
use shared::{
    ids::BackupUid,
    retention::Backup,
    schedule::{Effect, Input, ScheduleKey, Scheduler},
    time::Now,
};
use shell::{
    clock::Clock,
    driver::{Driver, FenceError, Performed, Performer},
};
use std::{collections::BTreeMap, sync::Arc};

/// Mail: object events, admins, answers to itself. Senders use `send` and wait, so the bound is back-pressure, not loss.
const MAILBOX: usize = 256;

/// See the module.
pub struct ScheduleActor {
    driver: Driver<Scheduler>,
    /// Every plane that may be named.
    allowed: Allowed,
    ports: Ports,
    clock: Clock,
    metrics: Arc<Metrics>,
    standing: Arc<Standing>,
    /// Which object bears a name now: news of an older one must not touch it.
    uids: BTreeMap<ScheduleKey, String>,
    /// Every backup that bears a schedule's label, whether that schedule exists or not.
    backups: BTreeMap<BackupUid, (ScheduleKey, Backup)>,
    backups_synced: bool,
    /// What the ledger says of them, which counts for more than what stands in objects.
    outcomes: Arc<Outcomes>,
    /// Of what backups keep.
    prices: Prices,
    /// Status writes under way, one per schedule.
    saving: BTreeMap<ScheduleKey, Saving>,
    /// Why retention deletes nothing, as last logged.
    distrust: Option<String>,
}

impl ScheduleActor {
    /// An actor that does nothing until it is told of schedules and backups.
    pub fn new(
        allowed: Allowed,
        ports: Ports,
        clock: Clock,
        metrics: Arc<Metrics>,
        standing: Arc<Standing>,
        outcomes: Arc<Outcomes>,
        prices: Prices,
    ) -> Self {
        Self {
            driver: Driver::new(Scheduler::new()),
            allowed,
            ports,
            clock,
            metrics,
            standing,
            uids: BTreeMap::new(),
            backups: BTreeMap::new(),
            backups_synced: false,
            outcomes,
            prices,
            saving: BTreeMap::new(),
            distrust: None,
        }
    }

    fn applied(&mut self, mut schedule: Schedule, ctx: &mut Context<Self>) {
        let key = schedule.key.clone();
        if schedule.deleting {
            self.gone(&key, &schedule.object.uid, ctx);
            return;
        }
        let planes = self.allowed.planes(schedule.planes.iter(), "spec.backupTemplate.clusters");
        let template = schedule.template.as_ref().map_or(Ok(()), |template| self.allowed.policy.check(template));
        if schedule.object.spec.is_ok()
            && let Err(refusal) = planes.and(template)
        {
            schedule.object.spec = Err(refusal);
        }
        self.uids.insert(key.clone(), schedule.object.uid.clone());
        self.feed(Input::Schedule { key: key.clone(), object: Box::new(schedule.object) }, ctx);
        self.list(key, ctx);
    }

    fn gone(&mut self, key: &ScheduleKey, uid: &str, ctx: &mut Context<Self>) {
        if self.uids.get(key).is_some_and(|known| known == uid) {
            self.uids.remove(key);
            self.metrics.schedule_gone(key);
            self.feed(Input::ScheduleGone(key.clone()), ctx);
        }
    }

    /// Tells the machine all backups of a schedule, once all have been seen and the ledger was read.
    fn list(&mut self, key: ScheduleKey, ctx: &mut Context<Self>) {
        if self.backups_synced && *self.outcomes.are_complete().borrow() && self.uids.contains_key(&key) {
            let of = self.backups.values().filter(|(of, _)| *of == key);
            let outcome = |backup: &Backup| self.outcomes.get(&backup.uid).unwrap_or(backup.state);
            let backups = of.map(|(_, backup)| Backup { state: outcome(backup), ..backup.clone() }).collect();
            self.feed(Input::Backups { key, backups }, ctx);
        }
    }

    /// Remembers what a backup is now; returns the schedules whose list differs.
    fn remember(&mut self, uid: &BackupUid, object: Option<&Object>) -> Vec<ScheduleKey> {
        let now = object.and_then(|object| {
            let scheduled = object.scheduled.as_ref()?;
            let key = ScheduleKey { namespace: object.namespace.clone(), name: scheduled.schedule.clone() };
            Some((key, scheduled.backup.clone()))
        });
        let before = self.backups.get(uid);
        if before == now.as_ref() {
            return Vec::new();
        }
        let mut touched: Vec<_> = before.iter().map(|(key, _)| key.clone()).collect();
        touched.extend(now.as_ref().map(|(key, _)| key.clone()).filter(|key| !touched.contains(key)));
        match now {
            Some(now) => drop(self.backups.insert(uid.clone(), now)),
            None => drop(self.backups.remove(uid)),
        }
        touched
    }
}

impl Actor for ScheduleActor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.drive(ctx);
    }
}

impl Performer for ScheduleActor {
    type M = Scheduler;

    fn driver(&mut self) -> &mut Driver<Scheduler> {
        &mut self.driver
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        self.carry_out(effect, ctx);
        Performed::Done
    }

    /// Nothing here is a fence, so only an actor that answers itself without end gets here.
    fn fence_failed(&mut self, error: FenceError, _: &mut Context<Self>) {
        tracing::error!(%error, "the scheduler has stopped; the liveness probe restarts the coordinator");
        self.standing.stopped(format!("the scheduler has stopped: {error}"));
    }

    fn stepped(&mut self, _: &mut Context<Self>) {
        self.metrics.schedules(&self.driver.machine().view());
        self.show_clock();
    }
}

impl Handler<ScheduleSeen> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, ScheduleSeen(event): ScheduleSeen, ctx: &mut Self::Context) {
        match event {
            ScheduleEvent::Applied(schedule) => self.applied(*schedule, ctx),
            ScheduleEvent::Gone(gone) => self.gone(&gone.key, &gone.uid, ctx),
            ScheduleEvent::Synced => {
                self.standing.schedules_listed();
                self.feed(Input::Synced, ctx);
                self.check_clock(ctx);
            }
        }
    }
}

impl Handler<ObjectSeen> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, ObjectSeen(event): ObjectSeen, ctx: &mut Self::Context) {
        let touched = match event {
            ObjectEvent::Applied(object) => self.remember(&object.uid, Some(&object)),
            ObjectEvent::Gone(uid) => self.remember(&uid, None),
            ObjectEvent::Synced => {
                self.backups_synced = true;
                self.uids.keys().cloned().collect()
            }
        };
        for key in touched {
            self.list(key, ctx);
        }
    }
}

impl Handler<Known> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, Known(known): Known, _: &mut Self::Context) {
        // Schedules are told again by the next resync.
        self.allowed.planes = known;
    }
}

impl Handler<BeginNothing> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, _: BeginNothing, ctx: &mut Self::Context) {
        self.feed(Input::BeginNothing, ctx);
    }
}

impl Handler<LedgerKnown> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, _: LedgerKnown, ctx: &mut Self::Context) {
        for key in self.uids.keys().cloned().collect::<Vec<_>>() {
            self.list(key, ctx);
        }
    }
}

impl Handler<AskSchedules> for ScheduleActor {
    type Result = ();
    fn handle(&mut self, AskSchedules(call): AskSchedules, _: &mut Self::Context) {
        let reply = match self.standing.schedules_known() {
            true => {
                let added = |backup: &BackupUid| self.outcomes.added(backup);
                let worth = Worth { added: &added, prices: &self.prices };
                console::answer_schedules(self.driver.machine(), self.clock.wall(), &call.who, &call.body, &worth)
            }
            // Else those that exist would be said not to.
            false => console::not_yet("the schedules are not listed yet"),
        };
        // An admin who does not read has gone.
        let _ = call.reply.try_send(reply.into());
    }
}
