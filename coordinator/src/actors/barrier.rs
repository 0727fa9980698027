//! One backup's barrier: the machine, its record in the ledger, its links to planes.

mod packed;
pub(super) mod room;
mod sending;
pub(super) use sending::put;
mod showing;

use self::{packed::Packed, room::Rooms};
use super::{
    channels::Channels,
    messages::{AskPast, BarrierOver, Channel, Ending, FromBarrier, GiveClaim, ToBarrier, WantClaim},
    publish::{self, Reached},
    store::{SharedSlot, Slot, Writer, save_first},
};
use crate::ports::{LedgerKey, ObjectRef, Ports, Version};
use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, MessageResult, Recipient, WrapFuture, fut::ActorFutureExt,
};
use shared::{
    barrier::{Barrier, Effect, Input, Record, View},
    ids::PlaneId,
    reason::Refusal,
    time::Now,
    wire::Down,
};
use shell::{
    clock::Clock,
    driver::{Driver, FenceError, Performed, Performer},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Mail of one barrier: four inputs of each plane (answer, up and down, progress), all of which may come before it has its
/// turn, beside claims and wishes. A full mailbox makes the parent drop `Progress` and close the session for anything else.
const MAIL_BESIDE: usize = 256;
const MAIL_OF_A_PLANE: usize = 4;

/// Before a process that is to end lets go of a barrier whose outcome was just saved: its status and its event are on
/// their way. Less than any wait that would begin something new; what is late is told by the successor.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a barrier begins with.
pub(super) struct Beginning {
    pub(super) record: Record,
    /// Of the record in the ledger; `None`: it is not there yet.
    pub(super) version: Option<Version>,
    /// What it wanted to save before can never be saved, and why.
    pub(super) hopeless: Option<Refusal>,
    /// Grows with every barrier of this process: by it the parent tells whose word it hears.
    pub(super) incarnation: u64,
    /// For its long frames, beside those of all others.
    pub(super) rooms: Rooms,
}

pub(super) struct BarrierActor {
    incarnation: u64,
    driver: Driver<Barrier>,
    slot: SharedSlot,
    /// The parent knows that the record was saved here.
    told_saved: bool,
    channels: Channels,
    parent: Recipient<FromBarrier>,
    ports: Ports,
    clock: Clock,
    object: ObjectRef,
    views: watch::Sender<Option<Arc<View>>>,
    published: Option<Arc<View>>,
    paced: bool,
    /// What has been written into the object's status, newest last.
    said: watch::Sender<Option<Arc<View>>>,
    /// What the record had reached when this process found it.
    found: Option<Reached>,
    /// The record is being looked up.
    looking: bool,
    /// The end of a backup is being waited for that has nothing left to do.
    leaving: bool,
    ending: Ending,
    /// The process is to end: stop when nothing is under way any more.
    draining: bool,
    packed: Packed,
    /// Orders that wait for room, by the number of the order: a later one to the same plane takes its place.
    waiting: BTreeMap<PlaneId, u64>,
    orders: u64,
    rooms: Rooms,
    /// A save that the ledger will never take: the attempt ends by it.
    hopeless: Option<Refusal>,
}

impl BarrierActor {
    pub(super) fn new(
        beginning: Beginning,
        writer: &Writer,
        ports: Ports,
        clock: Clock,
        channels: BTreeMap<PlaneId, Channel>,
        parent: Recipient<FromBarrier>,
    ) -> Self {
        let Beginning { record, version, hopeless, incarnation, rooms } = beginning;
        let request = &record.request;
        let object =
            ObjectRef { uid: record.key().clone(), namespace: request.namespace.clone(), name: request.name.clone() };
        let found = version.is_some().then_some((record.milestone, record.attempt));
        let slot = Slot::new(ports.ledger.clone(), LedgerKey::Record(record.key().clone()), writer, version);
        Self {
            incarnation,
            // Each plane that is there already is told behind the first save.
            driver: Driver::beginning_with(Barrier::new(record), channels.len()),
            slot: Rc::new(RefCell::new(Some(slot))),
            told_saved: false,
            channels: Channels::new(channels),
            parent,
            ports,
            clock,
            object,
            views: watch::channel(None).0,
            published: None,
            paced: false,
            said: watch::channel(None).0,
            found,
            looking: false,
            leaving: false,
            ending: Ending::Lost,
            draining: false,
            packed: Packed::default(),
            waiting: BTreeMap::new(),
            orders: 0,
            rooms,
            hopeless,
        }
    }
}

impl Actor for BarrierActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let planes = self.driver.machine().record().planes.len();
        ctx.set_mailbox_capacity(MAIL_BESIDE + MAIL_OF_A_PLANE * planes);
        let (object, said) = (self.object.clone(), self.said.clone());
        let publishing = publish::follow(self.ports.objects.clone(), object, self.views.subscribe(), self.found, said);
        ctx.spawn(publishing.into_actor(self));
        self.feed(Input::Start, ctx);
        if let Some(refusal) = self.hopeless.take() {
            self.feed(Input::Unsaved(refusal), ctx);
        }
        // Told here and not by mail: a mailbox holds 16 until its actor was polled once.
        for plane in self.channels.planes() {
            self.feed(Input::PlaneUp(plane), ctx);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let ending = std::mem::replace(&mut self.ending, Ending::Lost);
        let (backup, past) = (self.object.uid.clone(), self.driver.past().steps());
        let over = BarrierOver { backup, ending, incarnation: self.incarnation, past };
        let parent = self.parent.clone();
        tokio::task::spawn_local(async move {
            // The parent lives as long as the process; if it is gone, so is everything.
            let _ = parent.send(FromBarrier::Over(over)).await;
        });
    }
}

impl Performer for BarrierActor {
    type M = Barrier;

    fn driver(&mut self) -> &mut Driver<Barrier> {
        &mut self.driver
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        match effect {
            Effect::Save(record) => return save_first(&self.slot, *record),
            Effect::Send { plane, attempt, epoch, order } => {
                self.send(&plane, Down::Order { attempt, epoch, order }, ctx);
            }
            Effect::Claim { cluster, floor } => {
                let want = WantClaim {
                    backup: self.object.uid.clone(),
                    incarnation: self.incarnation,
                    attempt: self.driver.machine().record().attempt,
                    cluster,
                    floor,
                    demand: self.driver.machine().record().demand(),
                };
                self.ask_parent(FromBarrier::WantClaim(want), ctx);
            }
            Effect::EndClaim { cluster } => {
                let give = GiveClaim { backup: self.object.uid.clone(), cluster };
                self.ask_parent(FromBarrier::GiveClaim(give), ctx);
            }
            Effect::Alarm(alarm) => tracing::error!(?alarm, backup = %self.object.uid, "impossible state"),
            Effect::Gone => self.finalize(ctx),
        }
        Performed::Done
    }

    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>) {
        if let FenceError::Refused(refusal) = &error {
            self.ending = Ending::Hopeless(refusal.clone());
        }
        tracing::error!(%error, backup = %self.object.uid, "record was not saved; starting again from the ledger");
        ctx.stop();
    }

    fn stepped(&mut self, ctx: &mut Context<Self>) {
        if !self.told_saved && self.slot.borrow().as_ref().is_some_and(Slot::is_used) {
            self.told_saved = true;
            self.ask_parent(FromBarrier::Saved(self.object.uid.clone()), ctx);
        }
        self.show(ctx);
        if self.draining && !self.driver.machine().is_under_way() {
            self.draining = false;
            ctx.run_later(LAST_WORDS, |_, ctx| ctx.stop());
        }
        self.leave_if_over(ctx);
    }
}

impl BarrierActor {
    /// Claims must not be lost: `send` waits for room. The parent never waits for a barrier, so this cannot lock up.
    fn ask_parent(&self, message: FromBarrier, ctx: &mut Context<Self>) {
        let asked = self.parent.send(message);
        ctx.spawn(asked.into_actor(self).map(|sent, actor, _| {
            if sent.is_err() {
                tracing::error!(backup = %actor.object.uid, "coordinator is gone");
            }
        }));
    }
}

impl BarrierActor {
    /// Whatever was lost to a full mailbox: sessions that ended, and newer ones.
    fn take_sessions(&mut self, sessions: BTreeMap<PlaneId, Channel>, ctx: &mut Context<Self>) {
        let (ended, begun) = self.channels.missed(sessions);
        for plane in ended {
            self.channels.remove(&plane);
            self.feed(Input::PlaneDown(plane), ctx);
        }
        for (plane, channel) in begun {
            self.channels.begin(plane.clone(), channel);
            self.feed(Input::PlaneUp(plane), ctx);
        }
    }
}

impl Handler<AskPast> for BarrierActor {
    type Result = MessageResult<AskPast>;
    fn handle(&mut self, _: AskPast, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.driver.past().steps())
    }
}

impl Handler<ToBarrier> for BarrierActor {
    type Result = ();

    fn handle(&mut self, message: ToBarrier, ctx: &mut Self::Context) {
        let input = match message {
            ToBarrier::PlaneUp(plane, channel) => {
                self.channels.begin(plane.clone(), channel);
                Input::PlaneUp(plane)
            }
            ToBarrier::PlaneDown(plane, generation) if self.channels.end(&plane, generation) => Input::PlaneDown(plane),
            ToBarrier::PlaneDown(..) => return,
            ToBarrier::Sessions(sessions) => return self.take_sessions(sessions, ctx),
            ToBarrier::Answer { plane, attempt, epoch, answer } => Input::Answer {
                plane,
                // Planes know it by the uid that made it.
                attempt: shared::ids::Attempt {
                    backup: self.driver.machine().record().request.backup.clone(),
                    number: attempt,
                },
                epoch,
                answer: *answer,
            },
            ToBarrier::Claimed(epoch) => Input::Claimed(epoch),
            ToBarrier::ClaimTaken(holder) => Input::ClaimTaken(holder),
            ToBarrier::ClaimRefused(refusal) => Input::ClaimRefused(refusal),
            ToBarrier::ClaimFree => Input::ClaimFree,
            ToBarrier::Cancel => Input::Cancel,
            ToBarrier::Delete(policy) => Input::Delete(policy),
            ToBarrier::ObjectLost => Input::ObjectLost,
            ToBarrier::TryAgain => Input::TryAgain,
            ToBarrier::Abandon(planes) => Input::Abandon(planes),
            ToBarrier::Verified(found) => Input::Verified(found),
            // What only prepares, completes or cleans is left to the successor, as the record has it.
            ToBarrier::Drain if !self.driver.machine().is_under_way() => return ctx.stop(),
            ToBarrier::Drain => {
                self.draining = true;
                return;
            }
            ToBarrier::Stop => Input::Stop,
            ToBarrier::Contradicted => return self.look_up(ctx),
        };
        self.feed(input, ctx);
    }
}
