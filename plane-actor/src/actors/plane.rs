//! The plane's parent: routes orders to the member of their attempt, keeps the members, tells each of the others' epochs.

use super::{
    env::Env,
    member::{FromCoordinator, Link, MemberActor, Outbid},
    work::preflight,
};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use bytes::Bytes;
use shared::{
    epoch::Epoch,
    ids::{Attempt, ClusterId, PlaneId},
    member::View,
    reason::{Reason, Refusal},
    wire::{self, Answer, Down, Preflighted, Up},
};
use std::{collections::BTreeMap, rc::Rc};

/// Frames come one at a time (the session waits for each); the rest is one view per member step. Views that find no
/// place are replaced by the next.
const MAILBOX: usize = 256;

/// Members kept. One TiDB cluster has one live attempt; finished ones stay for `Complete` and `Clean`, and come back from
/// the ledger when they were forgotten.
const MAX_MEMBERS: usize = 32;

/// Preflights at a time; each holds connections to every store.
const MAX_PREFLIGHTS: usize = 2;

/// What console, metrics and readiness see of a plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaneView {
    /// A session to the coordinator is up.
    pub linked: bool,
    /// Every member kept.
    pub members: Vec<View>,
}

/// A session came up or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Linked(pub(crate) bool);

/// One frame of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Frame(pub(crate) Bytes);

/// A member has stepped.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Viewed(pub(crate) View);

/// An epoch was saved as obeyed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Raised {
    pub(crate) attempt: Attempt,
    pub(crate) cluster: ClusterId,
    pub(crate) epoch: Epoch,
}

struct Kept {
    addr: Addr<MemberActor>,
    view: Option<View>,
    /// When it was last given an order; the least is forgotten first.
    used: u64,
}

/// One per process.
pub struct PlaneActor {
    env: Rc<Env>,
    members: BTreeMap<Attempt, Kept>,
    uses: u64,
    linked: bool,
    preflights: usize,
}

impl PlaneActor {
    /// A plane without members.
    pub fn new(env: Rc<Env>) -> Self {
        Self { env, members: BTreeMap::new(), uses: 0, linked: false, preflights: 0 }
    }

    fn publish(&self) {
        let members = self.members.values().filter_map(|kept| kept.view.clone()).collect();
        self.env.config.views.send_replace(PlaneView { linked: self.linked, members });
    }

    /// The member of an attempt: kept, or made anew from what the ledger holds. A member that died (its save was lost)
    /// is made anew as after a restart. `None`: all places are taken by busy ones.
    fn member(&mut self, attempt: &Attempt, ctx: &Context<Self>) -> Option<Addr<MemberActor>> {
        self.uses += 1;
        if let Some(kept) = self.members.get_mut(attempt).filter(|kept| kept.addr.connected()) {
            kept.used = self.uses;
            return Some(kept.addr.clone());
        }
        if self.members.len() >= MAX_MEMBERS && !self.members.contains_key(attempt) {
            let idle = |kept: &Kept| !kept.addr.connected() || kept.view.as_ref().is_none_or(|view| !view.busy);
            let (oldest, _) = self.members.iter().filter(|(_, kept)| idle(kept)).min_by_key(|(_, kept)| kept.used)?;
            let oldest = oldest.clone();
            self.members.remove(&oldest);
        }
        let restored = self.env.book.attempt(attempt);
        let addr = MemberActor::new(self.env.clone(), attempt.clone(), restored, ctx.address()).start();
        self.members.insert(attempt.clone(), Kept { addr: addr.clone(), view: None, used: self.uses });
        Some(addr)
    }

    fn order(&mut self, attempt: Attempt, order: FromCoordinator, ctx: &mut Context<Self>) {
        let epoch = order.epoch;
        let Some(member) = self.member(&attempt, ctx) else {
            let refusal = Refusal::new(Reason::Internal, format!("{MAX_MEMBERS} attempts are under way in this plane"));
            self.env.uplink.answer(&attempt, epoch, Answer::Refused(refusal));
            return;
        };
        // Overflow rule: a member that cannot take an order loses the link; the coordinator repeats what it is owed.
        if member.try_send(order).is_err() {
            tracing::warn!(%attempt, "member cannot take an order; dropping the link");
            self.env.uplink.give_up();
        }
    }

    fn preflight(&mut self, ask: wire::Preflight, ctx: &mut Context<Self>) {
        if self.preflights >= MAX_PREFLIGHTS {
            let busy = Refusal::new(Reason::Internal, format!("{MAX_PREFLIGHTS} preflights are under way"));
            let check = wire::PreflightCheck { what: "preflight".into(), took: Default::default(), result: Err(busy) };
            self.env.uplink.send(&Up::Preflighted(Preflighted { number: ask.number, checks: vec![check] }));
            return;
        }
        self.preflights += 1;
        let env = self.env.clone();
        let looking = async move {
            let checks = preflight(&env, &ask.spec).await;
            Preflighted { number: ask.number, checks }
        };
        ctx.spawn(actix::fut::ActorFutureExt::map(looking.into_actor(self), |done, actor: &mut Self, _| {
            actor.preflights -= 1;
            actor.env.uplink.send(&Up::Preflighted(done));
        }));
    }
}

impl Actor for PlaneActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.publish();
    }
}

impl Handler<Linked> for PlaneActor {
    type Result = ();
    fn handle(&mut self, Linked(up): Linked, _: &mut Context<Self>) {
        self.linked = up;
        for kept in self.members.values() {
            // Overflow rule: lost without harm; the machine only shows it.
            let _ = kept.addr.try_send(Link(up));
        }
        self.publish();
    }
}

impl Handler<Frame> for PlaneActor {
    type Result = ();
    fn handle(&mut self, Frame(frame): Frame, ctx: &mut Context<Self>) {
        match wire::decode::<Down>(&frame) {
            Ok(Down::Order { attempt, epoch, order }) => self.order(attempt, FromCoordinator { epoch, order }, ctx),
            Ok(Down::Preflight(ask)) => self.preflight(ask, ctx),
            Err(error) => {
                tracing::error!(%error, "frame from the coordinator cannot be read; dropping the link");
                self.env.uplink.give_up();
            }
        }
    }
}

impl Handler<Viewed> for PlaneActor {
    type Result = ();
    fn handle(&mut self, Viewed(view): Viewed, _: &mut Context<Self>) {
        if let Some(kept) = self.members.get_mut(&view.attempt) {
            kept.view = Some(view);
        }
        self.publish();
    }
}

impl Handler<Raised> for PlaneActor {
    type Result = ();
    fn handle(&mut self, raised: Raised, _: &mut Context<Self>) {
        for (_, kept) in self.members.iter().filter(|(attempt, _)| **attempt != raised.attempt) {
            // Overflow rule: lost without harm to I3, which the ledger itself guards; the older attempt then ends by its
            // own lease.
            let _ = kept.addr.try_send(Outbid { cluster: raised.cluster, epoch: raised.epoch });
        }
    }
}

/// Who this is, for spans.
pub(crate) fn plane_of(env: &Env) -> &PlaneId {
    &env.config.plane
}
