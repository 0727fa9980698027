//! The machine: at which phase it stands, who has answered, which timers run. Each transition is in the file of its
//! step, `step/`; what runs out while something is held is in `clocks`.

use super::{
    common::Common,
    input::{Effect, Input, Step, Timer},
    phase::{LastRefusal, Phase},
    record::{Milestone, Record},
};
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    evidence::{CoverDigest, Evidence},
    ids::PlaneId,
    machine::Machine,
    time::{Instant, Millis, Now},
    timers::Timers,
    ts::Ts,
    wire::{Answer, Order, Prepared, Progress, Renew},
};
use std::collections::BTreeMap;

/// Alarms kept for status; more of the same say nothing new.
const MAX_ALARMS: usize = 16;

/// Answers that come within so long of each other are saved once: packing the record of many planes takes milliseconds of
/// the thread that all barriers share. Nothing is done on the strength of one before all are in, and who is asked again
/// after a restart answers again.
const TOGETHER: Millis = Millis::secs(1);

/// What the machine remembers of one plane besides the record. Gone with the process, on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PlaneState {
    pub(super) connected: bool,
    /// When it went away, while something is held.
    pub(super) away_since: Option<Instant>,
    /// The present step's answer is in.
    pub(super) answered: bool,
    pub(super) progress: Option<Progress>,
    pub(super) prepared: Option<Prepared>,
    pub(super) cover: Option<CoverDigest>,
    pub(super) missing: Vec<String>,
    pub(super) evidence: Option<Evidence>,
    /// The order of the present step was refused for a reason that may pass; it is repeated by `Timer::Again`.
    pub(super) refused: Option<LastRefusal>,
}

/// One backup's barrier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Barrier {
    pub(super) record: Record,
    pub(super) phase: Phase,
    pub(super) planes: BTreeMap<PlaneId, PlaneState>,
    /// How many of them are not connected.
    pub(super) away: usize,
    /// Where each stands in the request.
    pub(super) members: BTreeMap<PlaneId, usize>,
    pub(super) timers: Timers<Timer>,
    /// Grows when a backup prepares anew.
    pub(super) round: u32,
    pub(super) cover_round: u32,
    /// What GC stands still at; known once the init plane holds PD.
    pub(super) gc_hold: Option<Ts>,
    pub(super) renewals: u64,
    /// When the attempt began to prepare; `None` after a restart, which forgets it.
    pub(super) attempt_from: Option<Instant>,
    /// When the running clock started; `None` after a restart, which forgets it.
    pub(super) clock_from: Option<Instant>,
    /// Who holds the claim that is waited for.
    pub(super) claim_holder: String,
    /// A claim was asked for and not yet answered.
    pub(super) claim_pending: bool,
    /// Until when it is asked how much a Complete backup added; `None` before, and after a restart.
    pub(super) measure_until: Option<Instant>,
    pub(super) alarms: Vec<Alarm>,
}

impl Barrier {
    /// The machine of a record, new or found in the ledger: the same path.
    pub fn new(record: Record) -> Self {
        let planes: BTreeMap<_, _> = record.planes.keys().map(|plane| (plane.clone(), PlaneState::default())).collect();
        let members = record.request.members.iter().enumerate();
        let members = members.map(|(number, member)| (member.plane.clone(), number)).collect();
        let phase = match record.milestone {
            Milestone::Preparing => Phase::Preparing,
            Milestone::Barrier | Milestone::Aborting => Phase::Aborting,
            Milestone::Snapshotting => Phase::Recovering,
            Milestone::Certified => Phase::Releasing,
            Milestone::Complete => Phase::Complete,
            Milestone::Failed => Phase::Failed,
            Milestone::Cleaning => Phase::Cleaning,
            Milestone::Cleaned => Phase::Cleaned,
        };
        Self {
            record,
            phase,
            away: planes.len(),
            planes,
            members,
            timers: Timers::default(),
            round: 1,
            cover_round: 0,
            gc_hold: None,
            renewals: 0,
            attempt_from: None,
            clock_from: None,
            claim_holder: String::new(),
            claim_pending: false,
            measure_until: None,
            alarms: Vec::new(),
        }
    }

    /// Every timer that runs. A model checker has no clock: any of them may be the next to run out.
    pub fn timers(&self) -> impl Iterator<Item = Timer> {
        self.timers.names()
    }

    /// The durable part, as last saved or about to be.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Where it stands.
    pub fn phase_now(&self) -> Phase {
        self.phase
    }

    /// It has ended, and nothing is owed or waited for: only a person's wish moves it again.
    pub fn is_over(&self) -> bool {
        let ended = self.phase == Phase::Complete || self.phase == Phase::Failed && self.all_cleaned();
        ended && !self.record.deleting && self.timers.is_empty()
    }

    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.timers.set(timer, at);
    }

    pub(super) fn stop(&mut self, timers: &[Timer]) {
        for timer in timers {
            self.timers.stop(*timer);
        }
    }

    pub(super) fn save(&mut self, step: &mut Step) {
        self.stop(&[Timer::Save]);
        step.push(Effect::Save(Box::new(self.record.clone())));
    }

    /// With the other answers of its step, where nothing is done on the strength of one.
    pub(super) fn save_soon(&mut self, step: &Step) {
        self.timers.set_sooner(Timer::Save, step.now.at + TOGETHER);
    }

    pub(super) fn alarm(&mut self, alarm: Alarm, step: &mut Step) {
        if self.alarms.len() < MAX_ALARMS {
            self.alarms.push(alarm.clone());
        }
        step.push(Effect::Alarm(alarm));
    }

    /// From now on it stands there.
    pub(super) fn stand_at(&mut self, phase: Phase, step: &Step) {
        self.phase = phase;
        if let Some(at) = self.since_attempt(step) {
            self.record.moments.began(phase, at);
        }
    }

    fn since_attempt(&self, step: &Step) -> Option<Millis> {
        self.attempt_from.map(|from| step.now.at.since(from))
    }

    /// Enters a step: nobody has answered it yet, and everybody who has a part in it is told.
    pub(super) fn enter(&mut self, phase: Phase, step: &mut Step) {
        self.stand_at(phase, step);
        for live in self.planes.values_mut() {
            live.answered = false;
            live.refused = None;
            live.progress = None;
        }
        self.stop(&[Timer::Again]);
        self.send_all(step);
    }

    /// Sends the present step's order to every connected plane that still owes its answer.
    pub(super) fn send_all(&self, step: &mut Step) {
        let common = Common::default();
        for plane in self.planes.keys() {
            self.send_owed(plane, &common, step);
        }
    }

    pub(super) fn send_outstanding(&self, plane: &PlaneId, step: &mut Step) {
        self.send_owed(plane, &Common::default(), step);
    }

    fn send_owed(&self, plane: &PlaneId, common: &Common, step: &mut Step) {
        let pauses = |live: &PlaneState| live.refused.as_ref().is_some_and(|last| last.again.is_some());
        let owes = self.planes.get(plane).is_some_and(|live| live.connected && !live.answered && !pauses(live));
        if let (true, Some(order)) = (owes, self.order_for(plane, common)) {
            step.push(self.send(plane, order));
        }
    }

    pub(super) fn send(&self, plane: &PlaneId, order: Order) -> Effect {
        Effect::Send { plane: plane.clone(), attempt: self.record.attempt_id(), epoch: self.record.epoch, order }
    }

    /// True once no plane that has a part in the present step owes an answer.
    pub(super) fn all_answered(&self) -> bool {
        self.planes.iter().all(|(plane, live)| live.answered || !self.has_part(plane))
    }

    /// From the first touch until the last release: planes hold something that their own lease must outlive.
    pub(super) fn holds(&self) -> bool {
        matches!(
            self.phase,
            Phase::Reserving
                | Phase::Settling
                | Phase::Suspending
                | Phase::Covering
                | Phase::Snapshotting
                | Phase::Confirming
        )
    }

    /// From the first touch until everything is let go, one way or the other. Outside of it a successor goes on from the
    /// record, and nothing is lost by the change.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.holds() || matches!(self.phase, Phase::Releasing | Phase::Aborting)
    }

    fn plane_up(&mut self, plane: &PlaneId, step: &mut Step) {
        let Some(live) = self.planes.get_mut(plane) else { return };
        self.away -= usize::from(!live.connected);
        live.connected = true;
        live.away_since = None;
        if let Some(last) = &mut live.refused {
            (last.tries, last.again) = (0, None);
        }
        self.arm_again();
        self.arm_plane_lost();
        if self.is_missed_no_more() {
            return self.new_attempt(step);
        }
        if self.phase == Phase::Preparing {
            // Also those that came back while another one was away: nothing could be sent to them then.
            self.clock_prepare(step.now);
            self.send_all(step);
            return;
        }
        if self.holds() {
            step.push(self.send(plane, Order::Renew(Renew { number: self.renewals })));
        }
        self.send_outstanding(plane, step);
    }

    fn plane_down(&mut self, now: Now, plane: &PlaneId) {
        let holds = self.holds();
        let Some(live) = self.planes.get_mut(plane) else { return };
        self.away += usize::from(live.connected);
        live.connected = false;
        live.away_since = holds.then_some(now.at);
        self.arm_plane_lost();
    }

    fn answer(&mut self, plane: &PlaneId, epoch: Epoch, answer: Answer, step: &mut Step) {
        // Below ours: of a claim that granted nothing. Above ours: another process has taken over this very attempt and
        // we do not know it yet; our next save will be refused (I1).
        if epoch != self.record.epoch {
            return;
        }
        match answer {
            Answer::Progress(progress) => {
                if let Some(live) = self.planes.get_mut(plane) {
                    live.progress = Some(progress);
                }
            }
            Answer::Renewed(_) => {}
            Answer::Refused(refusal) => self.refused(plane, refusal, step),
            Answer::Prepared(prepared) => self.prepared(plane, prepared, step),
            Answer::Reserved(_) => self.reserved(plane, step),
            Answer::Settled(settled) => self.settled(plane, settled, step),
            Answer::Suspended(_) => self.suspended(plane, step),
            Answer::Covered(covered) => self.covered(plane, covered, step),
            Answer::Snapshotted(snapshotted) => self.snapshotted(plane, snapshotted.accepted, step),
            Answer::Confirmed(confirmed) => self.confirmed(plane, confirmed.evidence, step),
            Answer::Released(_) => self.released(plane, step),
            Answer::Aborted(aborted) => self.aborted(plane, aborted.cause, step),
            Answer::Recovered(recovered) => self.recovered(plane, recovered, step),
            Answer::Completed(completed) => self.completed(plane, completed, step),
            Answer::Measured(measured) => self.measured(plane, measured, step),
            Answer::Cleaned(cleaned) => self.cleaned(plane, cleaned.report, step),
        }
    }

    /// Marks the present step answered by this plane. False if it was already, or has no part in it.
    pub(super) fn accept_answer(&mut self, plane: &PlaneId, phase: Phase, step: &Step) -> bool {
        if self.phase != phase {
            return false;
        }
        let at = self.since_attempt(step);
        let Some(live) = self.planes.get_mut(plane).filter(|live| !live.answered) else { return false };
        live.answered = true;
        if let Some(at) = at {
            self.record.moments.answered(phase, plane, at);
        }
        // Its pause ends with it.
        if live.refused.take().is_some() {
            self.arm_again();
        }
        true
    }

    fn expired(&mut self, timer: Timer, step: &mut Step) {
        let due = self.timers.stop(timer).unwrap_or(step.now.at).max(step.now.at);
        match timer {
            Timer::Renew => self.renew(step),
            Timer::Connect => self.connect_expired(step),
            Timer::Prepare => self.prepare_expired(step),
            Timer::Settle => self.settle_expired(step),
            Timer::Reach => self.reach_expired(step),
            Timer::Hold => self.hold_expired(step),
            Timer::Total => self.total_expired(step),
            Timer::PlaneLost => self.plane_lost(step),
            Timer::Cover => self.cover_again(step),
            Timer::HoldsGone => self.holds_gone(step),
            Timer::Recover => self.recover_expired(step),
            Timer::Again => self.try_again(due, step),
            Timer::Retry => self.new_attempt(step),
            Timer::Measure => self.measure_expired(step),
            Timer::Save => self.save(step),
        }
    }
}

impl Machine for Barrier {
    type Input = Input;
    type Effect = Effect;
    type Timer = Timer;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        // What a ledger holds may break a rule; a step must not.
        let sound = cfg!(debug_assertions) && self.check().is_ok();
        let mut step = Step::new(now);
        match input {
            Input::Start => self.start(&mut step),
            Input::PlaneUp(plane) => self.plane_up(&plane, &mut step),
            Input::PlaneDown(plane) => self.plane_down(now, &plane),
            Input::Answer { plane, attempt, epoch, answer } => {
                if attempt == self.record.attempt_id() && self.planes.contains_key(&plane) {
                    self.answer(&plane, epoch, answer, &mut step);
                }
            }
            Input::Claimed(epoch) => self.claimed(epoch, &mut step),
            Input::ClaimTaken(holder) => self.claim_taken(holder),
            Input::ClaimRefused(refusal) => self.claim_refused(refusal, &mut step),
            Input::ClaimFree => self.claim_free(&mut step),
            Input::Unsaved(refusal) => self.unsaved(refusal, &mut step),
            Input::Cancel => self.cancel(&mut step),
            Input::Delete(policy) => self.delete(policy, &mut step),
            Input::ObjectLost => self.object_lost(&mut step),
            Input::TryAgain => self.try_again_now(&mut step),
            Input::Abandon(planes) => self.abandon(&planes, &mut step),
            Input::Verified(found) => self.verified(found, &mut step),
            Input::Stop => self.cut_short(&mut step),
            Input::Expired(timer) => self.expired(timer, &mut step),
        }
        debug_assert!(!sound || self.check() == Ok(()), "{:?}: {self:#?}", self.check());
        step.out
    }

    fn deadline(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    fn expired(timer: Timer) -> Input {
        Input::Expired(timer)
    }
}
