//! One attempt's machine in its actor: handlers feed it, effects become work, renewals and answers.

use super::{
    holds::{Held, HoldEvent, OpenHolds, Opening},
    messages::{AskPast, Forget, FromCoordinator, FromMember, Link, OfMember, Stop, Superseded},
    plane_context::PlaneContext,
    work::{self, Calls, Carried, Discovery, Outcome, Said, WorkContext},
};
use crate::ports::PdPause;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, SpawnHandle, StreamHandler,
    WrapFuture,
};
use futures::FutureExt;
use shared::{
    ids::{Attempt, StoreId},
    member::{AttemptRecord, AttemptState, Effect, Input, Member, Work, safe_times::PlaneTimes},
    reason::{Reason, Refusal},
    time::Now,
    trace::TraceId,
    wire::{Answer, Progress},
};
use shell::driver::{Driver, FenceError, Performed, Performer};
use std::{collections::BTreeMap, rc::Rc, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

/// Orders of one attempt: one outstanding, plus renewals every few seconds. A full mailbox drops the link.
const MAILBOX: usize = 64;
/// Reports of renewal tasks wait here for the actor; tasks wait for room, so none is lost.
const HOLD_EVENTS: usize = 64;
/// Progress of work; what finds no room is replaced by the next.
const PROGRESS: usize = 8;

/// See the module.
pub(crate) struct MemberActor {
    env: Rc<PlaneContext>,
    attempt: Attempt,
    plane: Recipient<FromMember>,
    driver: Driver<Member>,
    span: tracing::Span,
    works: BTreeMap<u64, SpawnHandle>,
    holds: BTreeMap<StoreId, Held>,
    opening: Opening,
    hold_events: Option<mpsc::Sender<HoldEvent>>,
    progress: Option<mpsc::Sender<(u64, Progress)>>,
    /// What `Prepare` found.
    discovery: Option<Arc<Discovery>>,
    pause: Option<PdPause>,
    service: Option<String>,
    safe: Arc<PlaneTimes>,
    calls: Arc<Calls>,
    clustermeta: Option<Arc<Vec<u8>>>,
    /// Nobody but itself knows of it any more.
    forgotten: bool,
}

impl MemberActor {
    pub(crate) fn new(
        env: Rc<PlaneContext>,
        attempt: Attempt,
        restored: Option<AttemptRecord>,
        plane: Recipient<FromMember>,
    ) -> Self {
        let span = tracing::info_span!("attempt", %attempt, trace = %TraceId::of(&attempt), plane = %env.config.plane);
        Self {
            driver: Driver::new(Member::new(attempt.clone(), restored, env.clock.at())),
            env,
            attempt,
            plane,
            span,
            works: BTreeMap::new(),
            holds: BTreeMap::new(),
            opening: Opening::default(),
            hold_events: None,
            progress: None,
            discovery: None,
            pause: None,
            service: None,
            safe: Arc::default(),
            calls: Arc::default(),
            clustermeta: None,
            forgotten: false,
        }
    }

    fn begin(&mut self, number: u64, work: Work, ctx: &mut Context<Self>) {
        tracing::info!(parent: &self.span, number, work = work::name(&work), "work begins");
        match &work {
            Work::HoldPd { service, .. } => self.service = Some(service.clone()),
            // All holds have ended by now. Both connect anew, so what was prepared goes, and its credentials with it.
            Work::Complete { .. } => {
                self.discovery = None;
                // It is asked for once the certificate is saved, which names the evidence word for word.
                self.env.ledger.forget(&self.attempt);
            }
            Work::Clean { .. } => (self.discovery, self.clustermeta) = (None, None),
            _ => {}
        }
        let context = WorkContext {
            env: self.env.clone(),
            attempt: self.attempt.clone(),
            number,
            discovery: self.discovery.clone(),
            pause: self.pause.clone(),
            safe: self.safe.clone(),
            holds: self.holds.iter().map(|(store, held)| (*store, held.hold.clone())).collect(),
            opening: self.opening.clone(),
            hold_events: self.hold_events.clone(),
            progress: self.progress.clone(),
            calls: self.calls.clone(),
            clustermeta: self.clustermeta.clone(),
        };
        let running = work::run(context, work).instrument(self.span.clone());
        let handle = ctx.spawn(running.into_actor(self).map(move |outcome: Outcome, actor, ctx| {
            actor.works.remove(&number);
            actor.keep(outcome.kept);
            if let Err(refusal) = &outcome.result {
                tracing::warn!(parent: &actor.span, number, %refusal, "work was refused");
            }
            actor.feed(Input::Done { number, result: outcome.result }, ctx);
        }));
        self.works.insert(number, handle);
    }

    fn keep(&mut self, kept: Carried) {
        match kept {
            Carried::Nothing => {}
            Carried::Discovery(discovery, said) => {
                self.calls = Arc::new(discovery.calls.clone());
                self.discovery = Some(discovery);
                self.learn(said);
            }
            Carried::Pause(pause) => self.pause = Some(pause),
            Carried::SafeTimes(times) => self.learn(times),
            Carried::Covered(times, calls) => {
                self.learn(times);
                self.calls = Arc::new(calls);
            }
            Carried::ClusterMeta(meta) => self.clustermeta = meta,
        }
    }

    fn learn(&mut self, said: Vec<Said>) {
        // No work is left that looks at them: this changes them in place.
        let times = Arc::make_mut(&mut self.safe);
        said.into_iter().for_each(|(store, said)| times.put(store, said));
    }

    fn save(&self, record: AttemptRecord) -> Performed {
        let raised = (record.state == AttemptState::Live).then(|| FromMember::EpochRaised {
            attempt: record.attempt.clone(),
            cluster: record.cluster,
            epoch: record.epoch,
        });
        let (ledger, plane) = (self.env.ledger.clone(), self.plane.clone());
        let saving = async move {
            ledger.save(record).await?;
            if let Some(raised) = raised {
                // Overflow rule: see the handler; the ledger guards I3 without it.
                let _ = plane.try_send(raised);
            }
            Ok(())
        };
        Performed::Fence(saving.boxed_local())
    }

    /// Its own channels keep an actor alive that nobody has the address of.
    fn end_if_forgotten(&self, busy: bool, ctx: &mut Context<Self>) {
        if self.forgotten && !busy {
            ctx.stop();
        }
    }

    /// Takes everything that is held, or is being, out of this actor.
    fn open_holds(&mut self) -> OpenHolds {
        OpenHolds {
            stores: std::mem::take(&mut self.holds).into_iter().collect(),
            opening: self.opening.take(),
            pd: self.discovery.as_ref().map(|discovery| discovery.pd.clone()),
            pause: self.pause.take(),
            service: self.service.take(),
        }
    }

    fn drop_holds(&mut self, confirmed: bool, ctx: &mut Context<Self>) {
        let going = self.open_holds().drop_holds(confirmed).instrument(self.span.clone());
        ctx.spawn(going.into_actor(self).map(|(), actor, ctx| actor.feed(Input::HoldsDropped, ctx)));
    }

    /// Holds that were on their way open meanwhile: they go as well. No work is left that could open more.
    fn end_unsaved(&mut self, refusal: Refusal, ctx: &mut Context<Self>) {
        let going = self.open_holds().drop_holds(false).instrument(self.span.clone());
        ctx.spawn(going.into_actor(self).map(move |(), actor, ctx| {
            if actor.holds.is_empty() {
                let epoch = actor.driver.machine().answers_under();
                actor.env.uplink.answer(&actor.attempt, epoch, Answer::Refused(refusal));
                ctx.stop();
            } else {
                actor.end_unsaved(refusal, ctx);
            }
        }));
    }
}

impl Performer for MemberActor {
    type M = Member;

    fn driver(&mut self) -> &mut Driver<Member> {
        &mut self.driver
    }

    fn now(&self) -> Now {
        self.env.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        match effect {
            Effect::Save(record) => return self.save(*record),
            Effect::Send { epoch, answer } => self.env.uplink.answer(&self.attempt, epoch, answer),
            Effect::Work { number, work } => self.begin(number, work, ctx),
            Effect::CancelWork { number } => {
                if let Some(handle) = self.works.remove(&number) {
                    ctx.cancel_future(handle);
                }
            }
            Effect::RenewStores { number, stores } => {
                for held in stores.iter().filter_map(|store| self.holds.get(store)) {
                    held.renew(number);
                }
            }
            Effect::DropHolds { confirmed } => self.drop_holds(confirmed, ctx),
            Effect::Alarm(alarm) => tracing::error!(parent: &self.span, ?alarm, "impossible state"),
        }
        Performed::Done
    }

    /// What was not stored must not be believed or answered: this member lets go and ends, and the plane actor makes it
    /// anew from the ledger, broken unless its evidence was stored. The order in hand, and any that came meanwhile, is
    /// lost with it. The coordinator is told so, because a link that stays up gives it no other cause to repeat them.
    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>) {
        tracing::error!(parent: &self.span, %error, "ledger not saved; letting go");
        for (_, handle) in std::mem::take(&mut self.works) {
            ctx.cancel_future(handle);
        }
        let reason = match &error {
            FenceError::Overflow(_) => Reason::Internal,
            FenceError::Refused(refusal) => refusal.reason,
            FenceError::Lost(_) | FenceError::Unknown(_) | FenceError::TimedOut => Reason::LedgerLost,
        };
        self.end_unsaved(Refusal::new(reason, format!("ledger not saved: {error}")), ctx);
    }

    fn stepped(&mut self, ctx: &mut Context<Self>) {
        let view = self.driver.machine().view(self.env.clock.now());
        self.end_if_forgotten(view.busy, ctx);
        // Overflow rule: the next view says more.
        let _ = self.plane.try_send(FromMember::ViewChanged(Box::new(view)));
    }
}

impl Actor for MemberActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        let (hold_events, holds) = mpsc::channel(HOLD_EVENTS);
        let (progress, texts) = mpsc::channel(PROGRESS);
        self.hold_events = Some(hold_events);
        self.progress = Some(progress);
        ctx.add_stream(ReceiverStream::new(holds));
        ctx.add_stream(ReceiverStream::new(texts));
        if self.env.uplink.is_open() {
            self.feed(Input::LinkUp, ctx);
        }
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.env.pasts.borrow_mut().keep(self.attempt.clone(), self.driver.past().steps());
    }
}

impl StreamHandler<HoldEvent> for MemberActor {
    fn handle(&mut self, event: HoldEvent, ctx: &mut Context<Self>) {
        match event {
            HoldEvent::Open { work, store, hold, kind, asked_at } => {
                if !self.opening.over(work, store) {
                    return;
                }
                let Some(discovery) = self.discovery.clone() else { return };
                let Some(events) = self.hold_events.clone() else { return };
                tracing::debug!(parent: &self.span, %store, work, "store held");
                let lease = discovery.spec.limits.store_lease;
                // A second hold of one store ends the first one's task; the machine breaks the epoch for it.
                self.holds.insert(store, Held::start(&self.env.config, store, lease, hold, events));
                let age = self.env.clock.at().since(asked_at);
                self.feed(Input::StoreHeld { store, age, kind }, ctx);
            }
            HoldEvent::Leased { store, number, valid } => self.feed(Input::StoreLeased { store, number, valid }, ctx),
            HoldEvent::Broken { store, refusal } => {
                // Not finished: who took the stream over may need the lease.
                self.holds.remove(&store);
                self.feed(Input::StoreBroken { store, refusal }, ctx);
            }
        }
    }

    /// The channel ends with the actor only.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl StreamHandler<(u64, Progress)> for MemberActor {
    fn handle(&mut self, (number, progress): (u64, Progress), ctx: &mut Context<Self>) {
        self.feed(Input::Progress { number, progress }, ctx);
    }

    /// The channel ends with the actor only.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<FromCoordinator> for MemberActor {
    type Result = ();
    fn handle(&mut self, FromCoordinator { epoch, order }: FromCoordinator, ctx: &mut Context<Self>) {
        self.feed(Input::Order { epoch, order }, ctx);
    }
}

impl Handler<Link> for MemberActor {
    type Result = ();
    fn handle(&mut self, Link(up): Link, ctx: &mut Context<Self>) {
        self.feed(if up { Input::LinkUp } else { Input::LinkLost }, ctx);
    }
}

impl Handler<Superseded> for MemberActor {
    type Result = ();
    fn handle(&mut self, Superseded { cluster, epoch }: Superseded, ctx: &mut Context<Self>) {
        self.feed(Input::Superseded { cluster, epoch }, ctx);
    }
}

impl Handler<Forget> for MemberActor {
    type Result = ();
    fn handle(&mut self, _: Forget, ctx: &mut Context<Self>) {
        self.forgotten = true;
        self.end_if_forgotten(self.driver.machine().view(self.env.clock.now()).busy, ctx);
    }
}

impl Handler<Stop> for MemberActor {
    type Result = ();
    fn handle(&mut self, Stop { finish }: Stop, ctx: &mut Context<Self>) {
        self.feed(Input::Stop { finish }, ctx);
    }
}

impl Handler<AskPast> for MemberActor {
    type Result = OfMember;
    fn handle(&mut self, _: AskPast, _: &mut Context<Self>) -> OfMember {
        let (pause, service) = (self.pause.clone(), self.service.clone());
        OfMember { steps: self.driver.past().steps(), pause, service }
    }
}
