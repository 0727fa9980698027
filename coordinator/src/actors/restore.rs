//! One restore: the machine, its record in the ledger, its links to planes.

use super::{
    barrier::put,
    channels::Channels,
    messages::Channel,
    restore_publish::{self, Reached},
    store::{SharedSlot, Slot, Writer, save_first},
};
use crate::ports::{LedgerKey, Ports, RestoreRef, Version};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;
use shared::{
    epoch::Epoch,
    ids::{ClusterId, PlaneId, RestoreUid},
    reason::{Reason, Refusal},
    restoring::{Effect, Input, Record, RestoreCleanPolicy, Restoring, View},
    time::Now,
    wire::{Down, Restore, RestoreAnswer},
};
use shell::{
    clock::Clock,
    driver::{Driver, FenceError, Performed, Performer, Stepped},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Four inputs of each plane may come before it has its turn, beside claims and wishes, as with a barrier.
const MAIL_BESIDE: usize = 64;
const MAIL_OF_A_PLANE: usize = 4;

/// A view is shown at most this often while only progress changes.
const VIEW_PACE: Duration = Duration::from_millis(500);

/// To a restore: what its machine must know.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum ToRestore {
    PlaneUp(PlaneId, Channel),
    PlaneDown(PlaneId, u64),
    /// Every session that there is of its planes.
    Sessions(BTreeMap<PlaneId, Channel>),
    Answer {
        plane: PlaneId,
        epoch: Epoch,
        answer: Box<RestoreAnswer>,
    },
    Claimed(Epoch),
    ClaimTaken(String),
    ClaimRefused(Refusal),
    ClaimFree,
    Cancel,
    Delete(RestoreCleanPolicy),
    TryAgain,
    /// The process is to end: its successor goes on from the record.
    Stop,
}

/// From a restore.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum FromRestore {
    WantClaim {
        restore: RestoreUid,
        incarnation: u64,
        cluster: ClusterId,
        floor: Epoch,
    },
    GiveClaim {
        restore: RestoreUid,
        cluster: ClusterId,
    },
    ViewChanged(Arc<View>),
    /// It has saved its record for the first time: whoever had the record before cannot save it any more.
    Saved(RestoreUid),
    Over {
        restore: RestoreUid,
        incarnation: u64,
        /// Its object is gone and its record deleted.
        gone: bool,
        past: Vec<Stepped>,
    },
}

/// What a restore begins with.
pub(super) struct Beginning {
    pub(super) record: Record,
    /// Of the record in the ledger; `None`: it is not there yet.
    pub(super) version: Option<Version>,
    /// Grows with every one of this process: by it the parent tells whose word it hears.
    pub(super) incarnation: u64,
}

pub(super) struct RestoreActor {
    incarnation: u64,
    driver: Driver<Restoring>,
    slot: SharedSlot,
    told_saved: bool,
    channels: Channels,
    parent: Recipient<FromRestore>,
    ports: Ports,
    clock: Clock,
    object: RestoreRef,
    views: watch::Sender<Option<Arc<View>>>,
    published: Option<Arc<View>>,
    paced: bool,
    /// What the record had reached when this process found it.
    found: Option<Reached>,
    gone: bool,
}

impl RestoreActor {
    pub(super) fn new(
        beginning: Beginning,
        writer: &Writer,
        ports: Ports,
        clock: Clock,
        channels: BTreeMap<PlaneId, Channel>,
        parent: Recipient<FromRestore>,
    ) -> Self {
        let Beginning { record, version, incarnation } = beginning;
        let request = &record.request;
        let object = RestoreRef {
            uid: request.restore.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
        };
        let found = version.is_some().then_some(record.stage);
        let slot = Slot::new(ports.ledger.clone(), LedgerKey::Restore(object.uid.clone()), writer, version);
        Self {
            incarnation,
            driver: Driver::beginning_with(Restoring::new(record), channels.len()),
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
            found,
            gone: false,
        }
    }

    /// A plane that does not restore is told nothing it does not know.
    fn send(&mut self, plane: PlaneId, order: Box<Restore>, ctx: &mut Context<Self>) {
        let Some(channel) = self.channels.get(&plane) else { return };
        if channel.restores {
            return put(&plane, channel, &Down::Restore(order), Bytes::from);
        }
        let text = "its version does not know how to restore, or it was not given the rights";
        let answer = RestoreAnswer::Refused(Refusal::new(Reason::PlaneCannotRestore, text));
        self.feed(Input::Answer { plane, epoch: order.epoch, answer }, ctx);
    }

    /// These must not be lost: `send` waits for room. The parent never waits for a restore, so this cannot lock up.
    fn ask_parent(&self, message: FromRestore, ctx: &mut Context<Self>) {
        let asked = self.parent.send(message);
        ctx.spawn(asked.into_actor(self).map(|sent, actor, _| {
            if sent.is_err() {
                tracing::error!(restore = %actor.object.uid, "coordinator is gone");
            }
        }));
    }

    /// At once for a new stage, paced otherwise.
    fn show(&mut self, ctx: &mut Context<Self>) {
        let stage = self.driver.machine().record().stage;
        if self.published.as_ref().is_none_or(|old| old.record.stage != stage) {
            self.tell();
        } else if !self.paced {
            self.paced = true;
            ctx.run_later(VIEW_PACE, |actor, _| {
                actor.paced = false;
                actor.tell();
            });
        }
    }

    fn tell(&mut self) {
        let view = self.driver.machine().view();
        if self.published.as_deref() == Some(&view) {
            return;
        }
        if self.published.as_ref().is_none_or(|old| old.record.stage != view.record.stage) {
            tracing::info!(restore = %self.object.uid, stage = view.record.stage.as_str(), "stage begins");
        }
        let view = Arc::new(view);
        self.published = Some(view.clone());
        self.views.send_replace(Some(view.clone()));
        // Only the console looks at it; the next view replaces one that was lost to a full mailbox.
        let _ = self.parent.try_send(FromRestore::ViewChanged(view));
    }

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

    /// The object goes first, the record last: a crash in between finds stage `Cleaned` and does it again.
    fn finalize(&mut self, ctx: &mut Context<Self>) {
        self.gone = true;
        self.tell();
        let version = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        let going = restore_publish::finalize(self.ports.clone(), self.object.clone(), version);
        ctx.spawn(going.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Actor for RestoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let planes = self.driver.machine().record().planes.len();
        ctx.set_mailbox_capacity(MAIL_BESIDE + MAIL_OF_A_PLANE * planes);
        let (restores, object) = (self.ports.restores.clone(), self.object.clone());
        let publishing = restore_publish::follow(restores, object, self.views.subscribe(), self.found);
        ctx.spawn(publishing.into_actor(self));
        self.feed(Input::Start, ctx);
        // Told here and not by mail: a mailbox holds 16 until its actor was polled once.
        for plane in self.channels.planes() {
            self.feed(Input::PlaneUp(plane), ctx);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let (restore, incarnation, gone) = (self.object.uid.clone(), self.incarnation, self.gone);
        let over = FromRestore::Over { restore, incarnation, gone, past: self.driver.past().steps() };
        let parent = self.parent.clone();
        tokio::task::spawn_local(async move {
            // The parent lives as long as the process; if it is gone, so is everything.
            let _ = parent.send(over).await;
        });
    }
}

impl Performer for RestoreActor {
    type M = Restoring;

    fn driver(&mut self) -> &mut Driver<Restoring> {
        &mut self.driver
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        let restore = self.object.uid.clone();
        match effect {
            Effect::Save(record) => return save_first(&self.slot, *record),
            Effect::Send { plane, order } => self.send(plane, order, ctx),
            Effect::Claim { cluster, floor } => {
                let incarnation = self.incarnation;
                self.ask_parent(FromRestore::WantClaim { restore, incarnation, cluster, floor }, ctx);
            }
            Effect::EndClaim { cluster } => self.ask_parent(FromRestore::GiveClaim { restore, cluster }, ctx),
            Effect::Gone => self.finalize(ctx),
        }
        Performed::Done
    }

    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>) {
        tracing::error!(%error, restore = %self.object.uid, "record was not saved; starting again from the ledger");
        ctx.stop();
    }

    fn stepped(&mut self, ctx: &mut Context<Self>) {
        if !self.told_saved && self.slot.borrow().as_ref().is_some_and(Slot::is_used) {
            self.told_saved = true;
            self.ask_parent(FromRestore::Saved(self.object.uid.clone()), ctx);
        }
        self.show(ctx);
    }
}

impl Handler<ToRestore> for RestoreActor {
    type Result = ();

    fn handle(&mut self, message: ToRestore, ctx: &mut Self::Context) {
        let input = match message {
            ToRestore::PlaneUp(plane, channel) => {
                self.channels.begin(plane.clone(), channel);
                Input::PlaneUp(plane)
            }
            ToRestore::PlaneDown(plane, generation) if self.channels.end(&plane, generation) => Input::PlaneDown(plane),
            ToRestore::PlaneDown(..) => return,
            ToRestore::Sessions(sessions) => return self.take_sessions(sessions, ctx),
            ToRestore::Answer { plane, epoch, answer } => Input::Answer { plane, epoch, answer: *answer },
            ToRestore::Claimed(epoch) => Input::Claimed(epoch),
            ToRestore::ClaimTaken(holder) => Input::ClaimTaken(holder),
            ToRestore::ClaimRefused(refusal) => Input::ClaimRefused(refusal),
            ToRestore::ClaimFree => Input::ClaimFree,
            ToRestore::Cancel => Input::Cancel,
            ToRestore::Delete(policy) => Input::Delete(policy),
            ToRestore::TryAgain => Input::TryAgain,
            ToRestore::Stop => return ctx.stop(),
        };
        self.feed(input, ctx);
    }
}
