//! The plane's parent: routes orders to the member of their attempt, keeps the members, tells each of the others' epochs.

use super::{
    known_restores::Restores,
    member::MemberActor,
    messages::{End, Forget, Frame, FromCoordinator, FromMember, Link, Linked, Stop, Superseded},
    plane_context::PlaneContext,
    work::{Findings, preflight, scan, verify},
};
use crate::ports::PlaneView;
use actix::{Actor, Addr, AsyncContext, Context, Handler, WrapFuture};
use shared::{
    epoch::Epoch,
    ids::{Attempt, ClusterId},
    member::{Phase, View},
    reason::{Reason, Refusal},
    time::{Instant, Millis},
    wire::{
        self, Answer, Division, Down, Finding, FindingState, Order, Preflighted, Scanned, ScannedPlace, Unknown, Up,
        Verified,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};
use tokio::sync::oneshot;

/// Frames come one at a time (the session waits for each); the rest is one view per member step. Views that find no
/// place are replaced by the next.
const MAILBOX: usize = 256;

/// Members at work at a time, or kept. One TiDB cluster has one live attempt; finished ones stay for `Complete` and
/// `Clean`, are forgotten once they are cleaned, and come back from the ledger when they are asked after that.
const MAX_MEMBERS: usize = 32;

/// Members that clean, beside those: they wait in a queue of their own (`PlaneContext::cleans`), and many backups may be deleted at
/// once.
const MAX_CLEANING: usize = 512;

/// What is about to be confirmed or released when this process is told to end is given so long. Reading back and the
/// confirmation of the other planes take a second or two.
pub(crate) const FINISH: Duration = Duration::from_secs(10);

/// A member that dies while it lets go says no more, so they are also looked at so often.
const LOOK: Duration = Duration::from_millis(50);

/// A member that has prepared and was given no order for so long is forgotten: what it holds are connections and what it looked at. Nobody
/// says of an attempt that never went on that it is over; whoever is asked for it after all finds what a restart finds.
const IDLE: Millis = Millis::secs(3600);
const SWEEP: Duration = Duration::from_secs(600);

/// A person waits for a preflight. Whoever asked gives up a little later than this, so that what was found by then is told.
const PREFLIGHT_LIMIT: Duration = Duration::from_secs(25);

/// Preflights at a time; each holds connections to every store.
const MAX_PREFLIGHTS: usize = 2;

/// A schedule, or a person, waits for a verification; what was not looked at by then says so.
const VERIFY_LIMIT: Duration = Duration::from_secs(120);

/// What lies in AWS takes as long as a verification to be looked through: the coordinator waits a little longer.
const SCAN_LIMIT: Duration = Duration::from_secs(120);

pub(super) struct LiveMember {
    pub(super) addr: Addr<MemberActor>,
    pub(super) view: Option<View>,
    /// Its last order was `Clean`.
    cleans: bool,
    /// When it was last given an order; the least is forgotten first.
    pub(super) used: u64,
    at: Instant,
}

impl LiveMember {
    fn is_idle(&self) -> bool {
        !self.addr.connected() || self.view.as_ref().is_some_and(|view| !view.busy)
    }

    fn has_only_prepared(&self) -> bool {
        self.is_idle() && self.view.as_ref().is_none_or(|view| matches!(view.phase, Phase::Idle | Phase::Prepared))
    }
}

/// One per process.
pub struct PlaneActor {
    pub(super) env: Rc<PlaneContext>,
    pub(super) members: BTreeMap<Attempt, LiveMember>,
    uses: u64,
    pub(super) linked: bool,
    preflights: usize,
    /// One at a time: nothing hangs on its speed, and others need the account's calls.
    pub(super) verifying: bool,
    /// The same of what lies in AWS.
    scanning: bool,
    /// One at a time: it is as long as a log.
    pub(super) diagnosing: bool,
    pub(super) restores: Restores,
    /// Told to end; takes the word once that is done.
    ending: Option<oneshot::Sender<()>>,
    pub(super) stopping: bool,
}

impl PlaneActor {
    /// A plane without members.
    pub fn new(env: Rc<PlaneContext>) -> Self {
        Self {
            env,
            members: BTreeMap::new(),
            uses: 0,
            linked: false,
            preflights: 0,
            verifying: false,
            scanning: false,
            diagnosing: false,
            restores: Restores::default(),
            ending: None,
            stopping: false,
        }
    }

    fn publish(&self) {
        let members = self.members.values().filter_map(|kept| kept.view.clone()).collect();
        self.env.ports.views.send_replace(PlaneView { linked: self.linked, members });
    }

    /// The member of an attempt: kept, or made anew from what the ledger holds. A member that died (its save was lost)
    /// is made anew as after a restart. `None`: all places are taken by busy ones.
    fn member(&mut self, attempt: &Attempt, cleans: bool, ctx: &Context<Self>) -> Option<Addr<MemberActor>> {
        self.uses += 1;
        let at = self.env.clock.at();
        if let Some(kept) = self.members.get_mut(attempt).filter(|kept| kept.addr.connected()) {
            (kept.used, kept.at, kept.cleans) = (self.uses, at, cleans);
            return Some(kept.addr.clone());
        }
        if !self.members.contains_key(attempt) {
            self.make_room(cleans)?;
        }
        let restored = self.env.ledger.attempt(attempt);
        let addr = MemberActor::new(self.env.clone(), attempt.clone(), restored, ctx.address().recipient()).start();
        self.members
            .insert(attempt.clone(), LiveMember { addr: addr.clone(), view: None, cleans, used: self.uses, at });
        Some(addr)
    }

    /// Forgets the idle member that was longest without an order, if there are too many of the kind that comes. One that
    /// has not shown itself yet has an order to begin with.
    fn make_room(&mut self, cleans: bool) -> Option<()> {
        let busy = |kept: &&LiveMember| kept.cleans == cleans && !kept.is_idle();
        let limit = if cleans { MAX_CLEANING } else { MAX_MEMBERS };
        if self.members.values().filter(busy).count() >= limit {
            return None;
        }
        if self.members.values().filter(|kept| kept.is_idle() || kept.cleans == cleans).count() >= limit {
            let forgotten = self.members.iter().filter(|(_, kept)| kept.is_idle()).min_by_key(|(_, kept)| kept.used);
            let forgotten = forgotten.map(|(attempt, _)| attempt.clone())?;
            self.forget(&forgotten);
        }
        Some(())
    }

    fn sweep(&mut self) {
        let now = self.env.clock.at();
        let left = self.members.iter().filter(|(_, kept)| kept.has_only_prepared() && now.since(kept.at) >= IDLE);
        for attempt in left.map(|(attempt, _)| attempt.clone()).collect::<Vec<_>>() {
            self.forget(&attempt);
        }
        self.publish();
    }

    fn forget(&mut self, attempt: &Attempt) {
        if let Some(kept) = self.members.remove(attempt) {
            // Overflow rule: it is idle, so its mailbox has room; one that died needs no word.
            let _ = kept.addr.try_send(Forget);
        }
    }

    fn order(&mut self, attempt: Attempt, order: FromCoordinator, ctx: &mut Context<Self>) {
        let epoch = order.epoch;
        let cleans = matches!(order.order, Order::Clean(_));
        let Some(member) = self.member(&attempt, cleans, ctx) else {
            let (limit, what) = if cleans { (MAX_CLEANING, "cleans") } else { (MAX_MEMBERS, "attempts") };
            let refusal = Refusal::new(Reason::PlaneBusy, format!("{limit} {what} are under way in this plane"));
            self.env.uplink.answer(&attempt, epoch, Answer::Refused(refusal));
            return;
        };
        // Overflow rule: a member that cannot take an order loses the link; the coordinator repeats what it is owed.
        if member.try_send(order).is_err() {
            tracing::warn!(%attempt, "member cannot take an order; dropping the link");
            self.env.uplink.give_up();
        }
    }

    /// A process that ends takes on nothing: the coordinator repeats to the next one what was not answered. What belongs
    /// to the end of an attempt is still obeyed.
    fn takes(&self, order: &Order) -> bool {
        !self.stopping
            || matches!(order, Order::Renew(_) | Order::Confirm | Order::Release | Order::Abort(_) | Order::Recover)
    }

    fn stop_members(&self, finish: bool) {
        for kept in self.members.values() {
            // Not `try_send`: this must arrive, and comes twice at most. A member that cannot take it by then ends with the process.
            let told = tokio::time::timeout(FINISH, kept.addr.send(Stop { finish }));
            tokio::task::spawn_local(async move { drop(told.await) });
        }
    }

    /// Says that the end has come, once it has.
    fn end_if_over(&mut self) {
        let over = |kept: &LiveMember| !kept.addr.connected() || kept.view.as_ref().is_some_and(|view| view.over);
        if self.ending.is_some() && self.members.values().all(over) {
            // Nobody listens any more: the process ends without this word.
            let _ = self.ending.take().map(|ending| ending.send(()));
        }
    }

    fn viewed(&mut self, view: View) {
        if view.cleaned {
            self.forget(&view.attempt);
        } else if let Some(kept) = self.members.get_mut(&view.attempt) {
            kept.view = Some(view);
        }
        self.publish();
        self.end_if_over();
    }

    fn raised(&self, of: &Attempt, cluster: ClusterId, epoch: Epoch) {
        for (_, kept) in self.members.iter().filter(|(attempt, _)| *attempt != of) {
            // Overflow rule: lost without harm to I3, which the ledger itself guards; the older attempt then ends by its
            // own lease.
            let _ = kept.addr.try_send(Superseded { cluster, epoch });
        }
    }

    fn preflight(&mut self, ask: wire::Preflight, ctx: &mut Context<Self>) {
        if self.preflights >= MAX_PREFLIGHTS {
            let busy = Refusal::new(Reason::PlaneBusy, format!("{MAX_PREFLIGHTS} preflights are under way"));
            let (what, took) = ("preflight".to_owned(), Default::default());
            let check = wire::PreflightCheck { what, took, result: Err(busy), warning: None };
            let at = Some(self.env.clock.wall());
            let told = Preflighted { number: ask.number, checks: vec![check], at, prepared: None };
            self.env.uplink.send(&Up::Preflighted(told));
            return;
        }
        self.preflights += 1;
        let env = self.env.clone();
        let looking = async move {
            let found = preflight(&env, &ask.spec, ask.backup.as_ref(), Some(PREFLIGHT_LIMIT)).await;
            let Findings { checks, prepared } = found;
            Preflighted { number: ask.number, checks, at: Some(env.clock.wall()), prepared }
        };
        ctx.spawn(actix::fut::ActorFutureExt::map(looking.into_actor(self), |done, actor: &mut Self, _| {
            actor.preflights -= 1;
            actor.env.uplink.send(&Up::Preflighted(done));
        }));
    }

    fn verify(&mut self, ask: wire::Verify, ctx: &mut Context<Self>) {
        if self.verifying {
            let text = "another verification or plan is under way in this plane; ask again".to_owned();
            let (subject, took) = ("plane".to_owned(), Default::default());
            let busy = Finding { subject, took, state: FindingState::Unchecked, text };
            let told = Verified { number: ask.number, findings: vec![busy], at: self.env.clock.wall(), calls: 0 };
            self.env.uplink.send(&Up::Verified(told));
            return;
        }
        self.verifying = true;
        let env = self.env.clone();
        let looking = async move { verify(&env, &ask, VERIFY_LIMIT).await };
        ctx.spawn(actix::fut::ActorFutureExt::map(looking.into_actor(self), |done, actor: &mut Self, _| {
            actor.verifying = false;
            actor.env.uplink.send(&Up::Verified(done));
        }));
    }

    /// What a newer coordinator says is refused by its name; what is no message ends the link.
    fn read(&self, frame: &[u8]) -> Option<Down> {
        let error = match wire::decode::<Down>(frame) {
            Ok(Down::Order { attempt, epoch, order: Order::Complete(complete) }) => match complete.unpacked() {
                Ok(complete) => return Some(Down::Order { attempt, epoch, order: Order::Complete(complete) }),
                Err(error) => {
                    let text = format!("the certificate in the order Complete: {error}");
                    self.env.uplink.answer(&attempt, epoch, Answer::Refused(Refusal::new(Reason::Internal, text)));
                    return None;
                }
            },
            Ok(down) => return Some(down),
            Err(error) => error,
        };
        match wire::unknown_down(frame) {
            Some(Unknown::Read(down)) => return Some(down),
            Some(Unknown::Refuse { attempt, epoch, refusal }) => {
                tracing::warn!(%attempt, %refusal, "not obeyed");
                self.env.uplink.answer(&attempt, epoch, Answer::Refused(refusal));
            }
            Some(Unknown::Ignore(word)) => {
                tracing::warn!(word, "a newer coordinator says what this plane actor does not know")
            }
            None => {
                tracing::error!(%error, "frame from the coordinator cannot be read; dropping the link");
                self.env.uplink.give_up();
            }
        }
        None
    }

    fn scan(&mut self, ask: wire::Scan, ctx: &mut Context<Self>) {
        let busy = self.members.iter().filter(|(_, kept)| kept.view.as_ref().is_none_or(|view| view.busy));
        let busy: BTreeSet<_> = busy.map(|(attempt, _)| attempt.backup.clone()).collect();
        if std::mem::replace(&mut self.scanning, true) {
            let unseen = vec!["another scan is under way in this plane; ask again".to_owned()];
            let place = ScannedPlace { unseen, ..ScannedPlace::default() };
            self.env.uplink.send(&Up::Scanned(Scanned { number: ask.number, places: vec![place], calls: 0 }));
            return;
        }
        let env = self.env.clone();
        let looking = async move { scan(&env, &ask, &busy, SCAN_LIMIT).await };
        ctx.spawn(actix::fut::ActorFutureExt::map(looking.into_actor(self), |done, actor: &mut Self, _| {
            actor.scanning = false;
            actor.env.uplink.send(&Up::Scanned(done));
        }));
    }
}

impl Actor for PlaneActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |actor, _| actor.sweep());
        self.publish();
    }
}

impl Handler<Linked> for PlaneActor {
    type Result = ();
    fn handle(&mut self, Linked(up): Linked, _: &mut Context<Self>) {
        self.linked = up;
        if up {
            // Another coordinator may not divide, or differently: it says so.
            self.env.obey(Division::default());
        }
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
        match self.read(&frame) {
            Some(Down::Order { order, attempt, .. }) if !self.takes(&order) => {
                tracing::info!(%attempt, order = order.name(), "not taken on: this process ends");
            }
            Some(Down::Order { attempt, epoch, order }) => self.order(attempt, FromCoordinator { epoch, order }, ctx),
            Some(Down::Preflight(ask)) => self.preflight(ask, ctx),
            Some(Down::Verify(ask)) => self.verify(ask, ctx),
            Some(Down::Scan(ask)) => self.scan(ask, ctx),
            Some(Down::Divide(division)) => self.env.obey(division),
            Some(Down::Diagnose(ask)) => self.diagnose(ask, ctx),
            Some(Down::Inspect(ask)) => self.inspect(ask, ctx),
            Some(Down::Restore(order)) => self.restore(order, ctx),
            None => {}
        }
    }
}

impl Handler<FromMember> for PlaneActor {
    type Result = ();
    fn handle(&mut self, said: FromMember, _: &mut Context<Self>) {
        match said {
            FromMember::ViewChanged(view) => self.viewed(*view),
            FromMember::EpochRaised { attempt, cluster, epoch } => self.raised(&attempt, cluster, epoch),
        }
    }
}

impl Handler<End> for PlaneActor {
    type Result = ();
    fn handle(&mut self, End(done): End, ctx: &mut Context<Self>) {
        (self.stopping, self.ending) = (true, Some(done));
        self.stop_members(true);
        ctx.run_later(FINISH, |actor, _| actor.stop_members(false));
        ctx.run_interval(LOOK, |actor, _| actor.end_if_over());
        self.end_if_over();
    }
}
