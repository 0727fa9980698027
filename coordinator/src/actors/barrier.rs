//! One backup's barrier: the machine, its record in the ledger, its links to planes.

use super::{
    coordinator::CoordinatorActor,
    messages::{BarrierOver, Channel, DropSession, GiveClaim, ToBarrier, Viewed, WantClaim},
    publish,
    store::{Slot, Writer},
};
use crate::ports::{LedgerKey, ObjectRef, Ports, Version};
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use futures::FutureExt;
use shared::{
    barrier::{Barrier, Effect, Input, Record, View},
    ids::PlaneId,
    time::Now,
    wire::{self, Down},
};
use shell::{
    clock::Clock,
    driver::{Driver, FenceError, Performed, Performer},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};
use tokio::sync::watch;

/// Mail of one barrier: three sorts of inputs per plane (answer, up/down, progress) for a few dozen planes, plus claims
/// and wishes. A full mailbox makes the parent drop `Progress` and close the session for anything else.
const MAILBOX: usize = 512;

/// Before a process that is to end lets go of a barrier whose outcome was just saved: its status and its event are on
/// their way. Less than any wait that would begin something new; what is late is told by the successor.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A view is published at most this often while only progress changes.
const VIEW_PACE: Duration = Duration::from_millis(200);

pub(super) struct BarrierActor {
    driver: Driver<Barrier>,
    slot: Rc<RefCell<Option<Slot>>>,
    channels: BTreeMap<PlaneId, Channel>,
    parent: Addr<CoordinatorActor>,
    ports: Ports,
    clock: Clock,
    object: ObjectRef,
    views: watch::Sender<Option<View>>,
    published: Option<View>,
    paced: bool,
    /// The record is being looked up.
    looking: bool,
    finished: bool,
    /// The process is to end: stop when nothing is under way any more.
    draining: bool,
}

impl BarrierActor {
    pub(super) fn new(
        record: Record,
        version: Option<Version>,
        writer: Writer,
        ports: Ports,
        clock: Clock,
        channels: BTreeMap<PlaneId, Channel>,
        parent: Addr<CoordinatorActor>,
    ) -> Self {
        let request = &record.request;
        let object =
            ObjectRef { uid: request.backup.clone(), namespace: request.namespace.clone(), name: request.name.clone() };
        let slot = Slot::new(ports.ledger.clone(), LedgerKey::Record(request.backup.clone()), writer, version);
        Self {
            driver: Driver::new(Barrier::new(record)),
            slot: Rc::new(RefCell::new(Some(slot))),
            channels,
            parent,
            ports,
            clock,
            object,
            views: watch::channel(None).0,
            published: None,
            paced: false,
            looking: false,
            finished: false,
            draining: false,
        }
    }

    /// Overflow rule: a queue that is full, closed or slow ends its session; the plane dials again and is told then
    /// what it owes.
    fn send(&mut self, plane: &PlaneId, down: &Down) {
        let Some(channel) = self.channels.get(plane) else { return };
        let frame = match wire::encode(down) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%plane, %error, "order cannot be encoded");
                return;
            }
        };
        if channel.tx.try_send(frame.into()).is_err() {
            let drop = DropSession { plane: plane.clone(), generation: channel.generation };
            // A session that is stopped already needs no telling.
            let _ = channel.session.try_send(drop);
        }
    }

    fn save(&self, record: Record) -> Performed {
        let slot = self.slot.clone();
        Performed::Fence(
            async move {
                let taken = slot.borrow_mut().take();
                let Some(mut held) = taken else {
                    return Err(FenceError::Lost("another save of this record is under way".to_owned()));
                };
                let outcome = held.save(&record).await;
                slot.borrow_mut().replace(held);
                outcome
            }
            .boxed_local(),
        )
    }

    /// Tells the parent (for the console) and the publisher, at once for a new step or stage, paced otherwise.
    fn show(&mut self, ctx: &mut Context<Self>) {
        let view = self.driver.machine().view(self.clock.now());
        let moved = self.published.as_ref().is_none_or(|old| {
            (old.step, old.record.stage, &old.record.failure) != (view.step, view.record.stage, &view.record.failure)
        });
        if !moved {
            if !self.paced {
                self.paced = true;
                ctx.run_later(VIEW_PACE, |actor, _| {
                    actor.paced = false;
                    let view = actor.driver.machine().view(actor.clock.now());
                    actor.tell(view);
                });
            }
            return;
        }
        self.tell(view);
    }

    fn tell(&mut self, view: View) {
        if self.published.as_ref() == Some(&view) {
            return;
        }
        self.published = Some(view.clone());
        self.views.send_replace(Some(view.clone()));
        // Only the console looks at it; the next view replaces one that was lost to a full mailbox.
        let _ = self.parent.try_send(Viewed(Box::new(view)));
    }

    /// Whoever wrote the status may have gone on with the record: the ledger says who is right. A barrier that has ended
    /// saves nothing, so no refused save would tell it.
    fn look_up(&mut self, ctx: &mut Context<Self>) {
        // While a save is under way its fence finds out.
        let known = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        let Some(known) = known.filter(|_| !self.looking) else { return };
        self.looking = true;
        let (ledger, key) = (self.ports.ledger.clone(), LedgerKey::Record(self.object.uid.clone()));
        let reading = async move { ledger.read(&key).await };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            actor.looking = false;
            let moved_on = actor.slot.borrow().as_ref().is_none_or(|slot| slot.version() != Some(&known));
            match read {
                // Saved meanwhile: that view is published anyway.
                _ if moved_on || actor.finished => {}
                Ok(Some(entry)) if entry.version == known => actor.views.send_modify(|_| ()),
                Ok(_) => {
                    let backup = &actor.object.uid;
                    tracing::warn!(%backup, "another process saved the record; starting again from the ledger");
                    ctx.stop();
                }
                Err(error) => {
                    tracing::warn!(%error, "status contradicts the record, which cannot be read; the resync asks again");
                }
            }
        }));
    }

    /// The object goes first, the record last: a crash in between finds stage `Cleaned` and does it again.
    fn let_go(&mut self, ctx: &mut Context<Self>) {
        self.finished = true;
        let view = self.driver.machine().view(self.clock.now());
        self.tell(view.clone());
        let version = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        let going = publish::let_go(self.ports.clone(), self.object.clone(), view, version);
        ctx.spawn(going.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Actor for BarrierActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let publishing = publish::follow(self.ports.objects.clone(), self.object.clone(), self.views.subscribe());
        ctx.spawn(publishing.into_actor(self));
        self.feed(Input::Start, ctx);
        // Told here and not by mail: a mailbox holds 16 until its actor was polled once.
        for plane in self.channels.keys().cloned().collect::<Vec<_>>() {
            self.feed(Input::PlaneUp(plane), ctx);
        }
    }

    fn stopped(&mut self, ctx: &mut Self::Context) {
        let over = BarrierOver { backup: self.object.uid.clone(), finished: self.finished, addr: ctx.address() };
        let parent = self.parent.clone();
        tokio::task::spawn_local(async move {
            // The parent lives as long as the process; if it is gone, so is everything.
            let _ = parent.send(over).await;
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
            Effect::Save(record) => return self.save(*record),
            Effect::Send { plane, attempt, epoch, order } => {
                self.send(&plane, &Down::Order { attempt, epoch, order });
            }
            Effect::Claim { cluster, floor } => {
                let want = WantClaim {
                    backup: self.object.uid.clone(),
                    name: format!("{}/{}", self.object.namespace, self.object.name),
                    attempt: self.driver.machine().view(self.clock.now()).record.attempt,
                    cluster,
                    floor,
                };
                self.ask_parent(want, ctx);
            }
            Effect::EndClaim { cluster } => {
                self.ask_parent(GiveClaim { backup: self.object.uid.clone(), cluster }, ctx);
            }
            Effect::Alarm(alarm) => tracing::error!(?alarm, backup = %self.object.uid, "impossible state"),
            Effect::Gone => self.let_go(ctx),
        }
        Performed::Done
    }

    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>) {
        tracing::error!(%error, backup = %self.object.uid, "record was not saved; starting again from the ledger");
        ctx.stop();
    }

    fn stepped(&mut self, ctx: &mut Context<Self>) {
        self.show(ctx);
        if self.draining && !self.driver.machine().is_under_way() {
            self.draining = false;
            ctx.run_later(LAST_WORDS, |_, ctx| ctx.stop());
        }
    }
}

impl BarrierActor {
    /// Claims must not be lost: `send` waits for room. The parent never waits for a barrier, so this cannot lock up.
    fn ask_parent<M>(&self, message: M, ctx: &mut Context<Self>)
    where
        M: actix::Message<Result = ()> + Send + 'static,
        CoordinatorActor: Handler<M>,
    {
        let asked = self.parent.send(message);
        ctx.spawn(asked.into_actor(self).map(|sent, actor, _| {
            if sent.is_err() {
                tracing::error!(backup = %actor.object.uid, "coordinator is gone");
            }
        }));
    }
}

impl Handler<ToBarrier> for BarrierActor {
    type Result = ();

    fn handle(&mut self, message: ToBarrier, ctx: &mut Self::Context) {
        let input = match message {
            ToBarrier::PlaneUp(plane, channel) => {
                self.channels.insert(plane.clone(), channel);
                Input::PlaneUp(plane)
            }
            ToBarrier::PlaneDown(plane, generation) => {
                if self.channels.get(&plane).is_none_or(|channel| channel.generation != generation) {
                    return;
                }
                self.channels.remove(&plane);
                Input::PlaneDown(plane)
            }
            ToBarrier::Answer { plane, attempt, epoch, answer } => Input::Answer {
                plane,
                attempt: shared::ids::Attempt { backup: self.object.uid.clone(), number: attempt },
                epoch,
                answer: *answer,
            },
            ToBarrier::Claimed(epoch) => Input::Claimed(epoch),
            ToBarrier::ClaimTaken(holder) => Input::ClaimTaken(holder),
            ToBarrier::ClaimFree => Input::ClaimFree,
            ToBarrier::Cancel => Input::Cancel,
            ToBarrier::Delete => Input::Delete,
            ToBarrier::Abandon(planes) => Input::Abandon(planes),
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
