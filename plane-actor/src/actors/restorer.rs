//! One restore in this plane: the machine, its entry in the ledger, its work.

use super::{
    plane_context::PlaneContext,
    work::restoring::{self, Telling},
};
use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult, Recipient, SpawnHandle, StreamHandler,
    WrapFuture, fut::ActorFutureExt,
};
use futures::FutureExt;
use shared::{
    epoch::Epoch,
    ids::RestoreUid,
    reason::{Reason, Refusal},
    restorer::{Effect, Input, Restorer, Standing, Work},
    time::Now,
    wire::{Restore, RestoreAnswer, RestoreProgress, Restored, Up},
};
use shell::driver::{Driver, FenceError, Performed, Performer};
use std::{collections::BTreeMap, rc::Rc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

/// Reports that wait for their turn; one that finds no room is replaced by the next.
const PROGRESS: usize = 16;

/// An order for this restore.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RestoreOrdered(pub(crate) Box<Restore>);

/// How it stands is wanted.
#[derive(Message)]
#[rtype(result = "Standing")]
pub(crate) struct AskStanding;

/// Nothing more will come to it: it is idle, and ends.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetRestore;

/// It has begun or ended a piece of work.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RestorerMoved {
    pub(crate) restore: RestoreUid,
    pub(crate) busy: bool,
}

/// See the module.
pub(crate) struct RestorerActor {
    env: Rc<PlaneContext>,
    restore: RestoreUid,
    driver: Driver<Restorer>,
    works: BTreeMap<u64, SpawnHandle>,
    progress: Option<mpsc::Sender<(u64, RestoreProgress)>>,
    plane: Recipient<RestorerMoved>,
    /// Of the order in hand: what is answered if it cannot be saved.
    epoch: Epoch,
    span: tracing::Span,
}

impl RestorerActor {
    pub(crate) fn new(env: Rc<PlaneContext>, restore: RestoreUid, plane: Recipient<RestorerMoved>) -> Self {
        let span = tracing::info_span!("restore", %restore, plane = %env.config.plane);
        let entry = env.ledger.restore(&restore);
        let driver = Driver::new(Restorer::new(restore.clone(), entry));
        let (works, progress, epoch) = (BTreeMap::new(), None, Epoch::NONE);
        Self { env, restore, driver, works, progress, plane, epoch, span }
    }

    fn begin(&mut self, number: u64, work: Work, ctx: &mut Context<Self>) {
        tracing::info!(parent: &self.span, number, order = work.order.name(), "work begins");
        let telling = Telling::new(number, self.progress.clone());
        let running = restoring::run(self.env.clone(), work, telling).instrument(self.span.clone());
        let handle = ctx.spawn(running.into_actor(self).map(move |result, actor, ctx| {
            actor.works.remove(&number);
            if let Err(refusal) = &result {
                tracing::warn!(parent: &actor.span, number, %refusal, "work was refused");
            }
            actor.feed(Input::Done { number, result }, ctx);
        }));
        self.works.insert(number, handle);
    }

    fn answer(&self, epoch: Epoch, answer: RestoreAnswer) {
        let restored = Restored { restore: self.restore.clone(), epoch, answer };
        self.env.uplink.send(&Up::Restored(Box::new(restored)));
    }
}

impl Performer for RestorerActor {
    type M = Restorer;

    fn driver(&mut self) -> &mut Driver<Restorer> {
        &mut self.driver
    }

    fn now(&self) -> Now {
        self.env.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        match effect {
            Effect::Save(entry) => {
                let ledger = self.env.ledger.clone();
                return Performed::Fence(async move { ledger.save_restore(entry).await }.boxed_local());
            }
            Effect::Send { epoch, answer } => self.answer(epoch, answer),
            Effect::Work { number, work } => self.begin(number, *work, ctx),
            Effect::CancelWork { number } => {
                if let Some(handle) = self.works.remove(&number) {
                    ctx.cancel_future(handle);
                }
            }
        }
        Performed::Done
    }

    /// What was not stored is not begun. The order is repeated by the coordinator, to one that reads the ledger anew.
    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>) {
        tracing::error!(parent: &self.span, %error, "ledger not saved; the order is not begun");
        let refusal = Refusal::new(Reason::LedgerLost, format!("ledger not saved: {error}"));
        self.answer(self.epoch, RestoreAnswer::Refused(refusal));
        ctx.stop();
    }

    fn stepped(&mut self, _: &mut Context<Self>) {
        let moved = RestorerMoved { restore: self.restore.clone(), busy: self.driver.machine().is_busy() };
        // Overflow rule: the next one says more.
        let _ = self.plane.try_send(moved);
    }
}

impl Actor for RestorerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (progress, texts) = mpsc::channel(PROGRESS);
        self.progress = Some(progress);
        ctx.add_stream(ReceiverStream::new(texts));
    }
}

impl Handler<RestoreOrdered> for RestorerActor {
    type Result = ();
    fn handle(&mut self, RestoreOrdered(order): RestoreOrdered, ctx: &mut Context<Self>) {
        self.epoch = order.epoch;
        let highest = order.cluster.map_or(Epoch::NONE, |cluster| self.env.ledger.highest(cluster));
        self.feed(Input::Order { order, highest }, ctx);
    }
}

impl Handler<ForgetRestore> for RestorerActor {
    type Result = ();
    fn handle(&mut self, _: ForgetRestore, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<AskStanding> for RestorerActor {
    type Result = MessageResult<AskStanding>;
    fn handle(&mut self, _: AskStanding, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.driver.machine().standing())
    }
}

impl StreamHandler<(u64, RestoreProgress)> for RestorerActor {
    fn handle(&mut self, (number, progress): (u64, RestoreProgress), ctx: &mut Context<Self>) {
        self.feed(Input::Progress { number, progress }, ctx);
    }

    /// The channel ends with the actor only.
    fn finished(&mut self, _: &mut Context<Self>) {}
}
