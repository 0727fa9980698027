//! The machine: where the attempt stands, what is under way, what is held. Which order may follow where is in `orders`,
//! each transition in the file of its step, `step/`; what runs out while something is held is in `clocks`.

use super::{
    calls::Calls,
    effect::{Effect, Step, Work},
    holds::StoreHolds,
    input::{Done, Input, Timer},
    ledger::{AttemptRecord, AttemptState},
    pd_holds::PdHolds,
    phase::Phase,
    plane_lease::PlaneLease,
};
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    evidence::{AcceptedSnapshot, CoverDigest, Evidence},
    ids::{Attempt, ClusterId},
    machine::Machine,
    reason::{Reason, Refusal},
    request::{Limits, MemberSpec},
    time::{Instant, Now},
    timers::Timers,
    ts::Ts,
    wire::{Answer, CleanScope, Order, Prepared, Progress},
};

/// Alarms kept for the console; more of the same say nothing new.
const MAX_ALARMS: usize = 16;

/// What is said once everything was let go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pending {
    Released(Epoch),
    Aborted(Epoch),
}

/// What `Prepare` brought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    pub(super) spec: MemberSpec,
    pub(super) prepared: Prepared,
}

/// One attempt in one plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub(super) attempt: Attempt,
    /// Obeyed; `NONE` before `Reserve`.
    pub(super) epoch: Epoch,
    /// The highest epoch obeyed for this TiDB cluster, by any attempt.
    pub(super) highest: Epoch,
    pub(super) phase: Phase,
    /// Found in the ledger: never re-entered (`design.md` §4).
    pub(super) restored: bool,
    /// Why it broke, if by itself.
    pub(super) cause: Option<Refusal>,
    pub(super) ready: Option<Ready>,
    /// What the ledger says.
    pub(super) record: Option<AttemptRecord>,
    /// The order that is being carried out, and the epoch it came under.
    pub(super) current: Option<(Epoch, Order)>,
    /// The last order that was answered, with its answer, to be repeated word for word.
    pub(super) last: Option<(Epoch, Order, Answer)>,
    /// Work of the present order.
    pub(super) work: Option<u64>,
    /// Numbers given to work and to renewals.
    pub(super) numbers: u64,
    /// The renewals; ends of leases are known by what is leased.
    pub(super) timers: Timers<Timer>,
    pub(super) lease: PlaneLease,
    pub(super) pd: PdHolds,
    pub(super) holds: StoreHolds,
    pub(super) cover_round: u32,
    pub(super) cover: Option<CoverDigest>,
    pub(super) commit_ts: Option<Ts>,
    pub(super) calls: Calls,
    pub(super) snapshots: Vec<AcceptedSnapshot>,
    pub(super) evidence: Option<Evidence>,
    /// Something may be held: `HoldPd` or `OpenHolds` was begun and `DropHolds` was not asked for since.
    pub(super) touched: bool,
    /// `DropHolds`s not yet answered.
    pub(super) dropping: u32,
    pub(super) pending: Option<Pending>,
    pub(super) linked: bool,
    /// The process is told to end.
    pub(super) stopping: bool,
    pub(super) progress: Option<Progress>,
    pub(super) alarms: Vec<Alarm>,
}

impl Member {
    /// The machine of an attempt: unknown yet, or found in the ledger when the plane actor started. What was live then
    /// is broken. `now`: when it is made.
    pub fn new(attempt: Attempt, restored: Option<AttemptRecord>, now: Instant) -> Self {
        let restarted = || Refusal::new(Reason::PlaneRestarted, "the plane actor restarted within this attempt");
        let (phase, evidence, cause) = match restored.as_ref().map(|record| &record.state) {
            None => (Phase::Idle, None, None),
            Some(AttemptState::Confirmed(evidence)) => (Phase::Released, Some(evidence.clone()), None),
            Some(AttemptState::Live | AttemptState::Broken) => (Phase::Broken, None, Some(restarted())),
        };
        let epoch = restored.as_ref().map_or(Epoch::NONE, |record| record.epoch);
        Self {
            attempt,
            epoch,
            highest: epoch,
            phase,
            restored: restored.is_some(),
            calls: Calls::new(restored.is_some(), now),
            cause,
            ready: None,
            record: restored,
            current: None,
            last: None,
            work: None,
            numbers: 0,
            timers: Timers::default(),
            lease: PlaneLease::default(),
            pd: PdHolds::default(),
            holds: StoreHolds::default(),
            cover_round: 0,
            cover: None,
            commit_ts: None,
            snapshots: Vec::new(),
            evidence,
            touched: false,
            dropping: 0,
            pending: None,
            linked: false,
            stopping: false,
            progress: None,
            alarms: Vec::new(),
        }
    }

    fn running(&self) -> impl Iterator<Item = (Instant, Timer)> {
        let leases = [(self.lease.until(), Timer::PlaneLease), (self.holds.first_end(), Timer::StoreLease)];
        self.timers.due().chain(leases.into_iter().filter_map(|(end, timer)| end.map(|at| (at, timer))))
    }

    /// Every timer that runs. A model checker has no clock: any of them may be the next to run out.
    pub fn timers(&self) -> impl Iterator<Item = Timer> {
        self.running().map(|(_, timer)| timer)
    }

    /// Which TiDB cluster, once known.
    pub fn cluster(&self) -> Option<ClusterId> {
        let prepared = self.ready.as_ref().map(|ready| ready.prepared.cluster);
        prepared.or(self.record.as_ref().map(|record| record.cluster))
    }

    pub(super) fn limits(&self) -> Limits {
        self.ready.as_ref().map(|ready| ready.spec.limits.clone()).unwrap_or_default()
    }

    /// Under which epoch the order in hand is answered; without one, the attempt's own.
    pub fn answers_under(&self) -> Epoch {
        self.current.as_ref().map_or(self.epoch, |(epoch, _)| *epoch)
    }

    /// Work is under way, or something is held or being let go.
    pub(super) fn is_busy(&self) -> bool {
        self.phase.is_live() || self.touched || self.dropping > 0 || self.work.is_some() || self.current.is_some()
    }

    /// Nothing of it is left. What remains of a surplus is a good backup.
    pub(super) fn is_cleaned(&self) -> bool {
        // One that left something is ordered again, and what this member knows of its calls spares the quiet wait.
        let Some((_, Order::Clean(clean), Answer::Cleaned(done))) = &self.last else { return false };
        !self.is_busy() && clean.scope != CleanScope::Surplus && done.report.left.is_empty()
    }

    /// Told to end, and nothing is held, being held or being let go any more.
    pub(super) fn is_over(&self) -> bool {
        self.stopping && !self.phase.is_live() && !self.touched && self.dropping == 0
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    /// Begins the work of the present order; answers its number.
    pub(super) fn begin(&mut self, work: Work, step: &mut Step) -> u64 {
        let number = self.next_number();
        self.work = Some(number);
        self.progress = None;
        step.push(Effect::Work { number, work });
        number
    }

    pub(super) fn cancel_work(&mut self, step: &mut Step) {
        self.current = None;
        self.progress = None;
        for number in [self.work.take(), self.pd.stop_renewing()].into_iter().flatten() {
            self.cancel(number, step);
        }
    }

    pub(super) fn cancel(&mut self, number: u64, step: &mut Step) {
        self.calls.work_over(number, step.now.at);
        step.push(Effect::CancelWork { number });
    }

    pub(super) fn send(&self, epoch: Epoch, answer: Answer, step: &mut Step) {
        step.push(Effect::Send { epoch, answer });
    }

    pub(super) fn refuse(&self, epoch: Epoch, reason: Reason, message: impl Into<String>, step: &mut Step) {
        self.send(epoch, Answer::Refused(Refusal::new(reason, message)), step);
    }

    /// Answers the present order and keeps the answer for its repetitions.
    pub(super) fn answer(&mut self, answer: Answer, step: &mut Step) {
        let Some((epoch, order)) = self.current.take() else { return };
        self.last = Some((epoch, order, answer.clone()));
        self.send(epoch, answer, step);
    }

    /// Saves what the attempt has come to. Nothing was obeyed before an epoch and a TiDB cluster are known: then there
    /// is nothing to save.
    pub(super) fn save(&mut self, state: AttemptState, step: &mut Step) {
        let Some(cluster) = self.cluster().filter(|_| self.epoch != Epoch::NONE) else { return };
        let was_confirmed = |kept: &AttemptRecord| kept.taken_back || matches!(kept.state, AttemptState::Confirmed(_));
        let before = self.record.as_ref().filter(|kept| kept.epoch == self.epoch);
        let taken_back = state == AttemptState::Broken && before.is_some_and(was_confirmed);
        let record = AttemptRecord { attempt: self.attempt.clone(), epoch: self.epoch, cluster, state, taken_back };
        self.record = Some(record.clone());
        step.push(Effect::Save(Box::new(record)));
    }

    pub(super) fn alarm(&mut self, what: impl Into<String>, step: &mut Step) {
        let alarm = Alarm::WorkUnknown { what: what.into() };
        if self.alarms.len() < MAX_ALARMS {
            self.alarms.push(alarm.clone());
        }
        step.push(Effect::Alarm(alarm));
    }

    fn done(&mut self, number: u64, result: Result<Done, Refusal>, step: &mut Step) {
        self.calls.work_over(number, step.now.at);
        if self.pd.renewal_ends(number) {
            self.pd_renewed(result, step);
        } else if self.work == Some(number) {
            self.work = None;
            self.progress = None;
            match result {
                Ok(done) => self.work_done(done, step),
                Err(refusal) => self.work_failed(refusal, step),
            }
        } else if number > self.numbers {
            self.alarm(format!("work {number} ended, {} were begun", self.numbers), step);
        }
    }
}

impl Machine for Member {
    type Input = Input;
    type Effect = Effect;
    type Timer = Timer;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        // What a ledger holds may break a rule; a step must not.
        let sound = cfg!(debug_assertions) && self.check().is_ok();
        let mut step = Step::new(now);
        match input {
            Input::Order { epoch, order } => self.order(epoch, order, &mut step),
            Input::Done { number, result } => self.done(number, result, &mut step),
            Input::Progress { number, progress } => {
                if let (true, Some((epoch, _))) = (self.work == Some(number), &self.current) {
                    self.send(*epoch, Answer::Progress(progress.clone()), &mut step);
                    self.progress = Some(progress);
                }
            }
            Input::StoreHeld { store, age, kind } => self.store_held(store, age, kind, &mut step),
            Input::StoreLeased { store, number, valid } => self.store_leased(store, number, valid, &mut step),
            Input::StoreBroken { store, refusal } => self.store_broken(store, refusal, &mut step),
            Input::HoldsDropped => self.holds_dropped(&mut step),
            Input::Superseded { cluster, epoch } => self.outbid(cluster, epoch, &mut step),
            Input::Stop { finish } => self.stop(finish, &mut step),
            Input::LinkUp => self.linked = true,
            Input::LinkLost => self.linked = false,
            Input::Expired(timer) => self.expired_timer(timer, &mut step),
        }
        debug_assert!(!sound || self.check() == Ok(()), "{:?}: {self:#?}", self.check());
        step.out
    }

    fn deadline(&self) -> Option<(Instant, Timer)> {
        self.running().min()
    }

    fn expired(timer: Timer) -> Input {
        Input::Expired(timer)
    }
}
