//! The machine: which planes are there, who has answered, what runs out. What is ordered is in `orders`, what an answer comes to in
//! `answers`, how it ends otherwise in `ends`.

use super::{
    Step,
    input::{Effect, Input, Timer},
    record::{Record, Span},
    stage::{Part, Stage},
};
use crate::{
    backoff::{Backoff, seed},
    epoch::Epoch,
    ids::PlaneId,
    machine::Machine,
    reason::{Reason, Refusal},
    time::{Instant, Millis, Now},
    timers::Timers,
    wire::{RestoreAnswer, RestoreProgress},
};
use std::collections::BTreeMap;

/// Between two tries of an order that was refused for a reason that may pass.
const AGAIN: Backoff = Backoff { first: Millis::secs(5), cap: Millis::secs(120) };

/// What the machine remembers of one plane besides the record. Gone with the process, on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PlaneState {
    pub(super) connected: bool,
    /// The present stage's order is answered.
    pub(super) answered: bool,
    pub(super) progress: Option<RestoreProgress>,
    /// It was refused for a reason that may pass.
    pub(super) refused: Option<Refusal>,
    /// How often in a row.
    pub(super) tries: u32,
    /// When it is ordered again; `None`: it has been, or was not refused.
    pub(super) again: Option<Instant>,
}

/// One restore.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Restoring {
    pub(super) record: Record,
    pub(super) planes: BTreeMap<PlaneId, PlaneState>,
    pub(super) timers: Timers<Timer>,
    /// Who holds the claim that is waited for; empty: nobody, or it is not known.
    pub(super) claim_holder: String,
}

impl Restoring {
    /// The machine of a record, new or found in the ledger: the same path.
    pub fn new(record: Record) -> Self {
        let planes = record.planes.keys().map(|plane| (plane.clone(), PlaneState::default())).collect();
        Self { record, planes, timers: Timers::default(), claim_holder: String::new() }
    }

    /// The durable part, as last saved or about to be.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Every timer that runs. A model checker has no clock: any of them may be the next to run out.
    pub fn timers(&self) -> impl Iterator<Item = Timer> {
        self.timers.names()
    }

    /// It has ended, and nothing is owed or waited for: only a person's wish moves it again.
    pub fn is_over(&self) -> bool {
        self.record.stage.is_over() && !self.record.deleting
    }

    pub(super) fn save(&self, step: &mut Step) {
        step.push(Effect::Save(Box::new(self.record.clone())));
    }

    /// Does this plane owe an answer in this stage?
    pub(super) fn has_part(&self, plane: &PlaneId) -> bool {
        match self.record.stage.part() {
            Part::All => self.record.stage != Stage::Undoing || self.owes_undo(plane),
            Part::Init => self.record.request.init_plane() == Some(plane),
            Part::Nobody => false,
        }
    }

    fn owes_undo(&self, plane: &PlaneId) -> bool {
        self.record.planes.get(plane).is_some_and(|kept| !kept.undone)
    }

    pub(super) fn all_answered(&self) -> bool {
        self.planes.iter().all(|(plane, live)| live.answered || !self.has_part(plane))
    }

    /// The next stage: saved first, then everybody who has a part in it is told.
    pub(super) fn enter(&mut self, stage: Stage, step: &mut Step) {
        let wall = step.now.wall;
        if let Some(span) = self.record.spans.get_mut(&self.record.stage) {
            span.ended.get_or_insert(wall);
        }
        self.record.stage = stage;
        self.record.spans.entry(stage).or_insert(Span { began: wall, ended: stage.is_over().then_some(wall) });
        for live in self.planes.values_mut() {
            *live = PlaneState { connected: live.connected, ..PlaneState::default() };
        }
        self.timers.stop_all();
        self.save(step);
        self.begin(step);
    }

    /// Of the stage that is saved.
    pub(super) fn begin(&mut self, step: &mut Step) {
        if let Some(limit) = self.record.stage.limit(&self.record.request.limits) {
            self.timers.set(Timer::Stage, step.now.at + limit);
        }
        match self.record.stage {
            Stage::Claiming => self.ask_for_claim(step),
            Stage::Complete | Stage::Failed | Stage::Cleaned => self.let_go(step),
            _ => self.send_all(step),
        }
    }

    /// The claim is given back as soon as nothing is done under it any more; repeating that does no harm.
    pub(super) fn let_go(&mut self, step: &mut Step) {
        if let Some(cluster) = self.record.cluster {
            step.push(Effect::EndClaim { cluster });
        }
        match self.record.stage {
            Stage::Cleaned => step.push(Effect::Gone),
            _ if self.record.deleting => self.enter(Stage::Cleaned, step),
            _ => {}
        }
    }

    pub(super) fn send_all(&mut self, step: &mut Step) {
        for plane in self.planes.keys().cloned().collect::<Vec<_>>() {
            self.send_owed(&plane, step);
        }
    }

    pub(super) fn send_owed(&mut self, plane: &PlaneId, step: &mut Step) {
        let owes = self.planes.get(plane).is_some_and(|live| live.connected && !live.answered && live.again.is_none());
        if let (true, true, Some(order)) = (owes, self.has_part(plane), self.order_for(plane)) {
            step.push(Effect::Send { plane: plane.clone(), order: Box::new(order) });
        }
    }

    fn plane_up(&mut self, plane: &PlaneId, step: &mut Step) {
        let Some(live) = self.planes.get_mut(plane) else { return };
        live.connected = true;
        (live.again, live.tries) = (None, 0);
        self.arm_again();
        self.send_owed(plane, step);
    }

    fn answer(&mut self, plane: &PlaneId, epoch: Epoch, answer: RestoreAnswer, step: &mut Step) {
        // Of an order before the claim, or of somebody else's.
        if epoch != self.record.epoch || !self.has_part(plane) {
            return;
        }
        match answer {
            RestoreAnswer::Progress(progress) => {
                if let Some(live) = self.planes.get_mut(plane) {
                    live.progress = Some(progress);
                }
            }
            RestoreAnswer::Refused(refusal) => self.refused(plane, refusal, step),
            answer => self.answered(plane, answer, step),
        }
    }

    fn refused(&mut self, plane: &PlaneId, refusal: Refusal, step: &mut Step) {
        let stage = self.record.stage;
        let told = Refusal::new(refusal.reason, format!("plane {plane}: {}", refusal.message));
        // What cannot be taken away now is tried for ever: it must not be forgotten.
        if !refusal.reason.is_passing() && stage.runs() {
            return self.fail(told, step);
        }
        self.pause(plane, refusal, step);
    }

    /// It is ordered again after a while.
    pub(super) fn pause(&mut self, plane: &PlaneId, refusal: Refusal, step: &Step) {
        let again = seed(plane.as_str());
        let Some(live) = self.planes.get_mut(plane).filter(|live| !live.answered) else { return };
        live.refused = Some(refusal);
        live.tries = live.tries.saturating_add(1);
        live.again = Some(step.now.at + AGAIN.wait(live.tries, again));
        self.arm_again();
    }

    pub(super) fn arm_again(&mut self) {
        match self.planes.values().filter_map(|live| live.again).min() {
            Some(at) => self.timers.set(Timer::Again, at),
            None => drop(self.timers.stop(Timer::Again)),
        }
    }

    fn again(&mut self, due: Option<Instant>, step: &mut Step) {
        let planes: Vec<PlaneId> = self
            .planes
            .iter()
            .filter(|(_, live)| live.again.is_some_and(|at| due.is_none_or(|due| at <= due)))
            .map(|(plane, _)| plane.clone())
            .collect();
        for plane in planes {
            if let Some(live) = self.planes.get_mut(&plane) {
                live.again = None;
            }
            self.send_owed(&plane, step);
        }
        self.arm_again();
    }

    fn expired_timer(&mut self, timer: Timer, step: &mut Step) {
        self.timers.stop(timer);
        match timer {
            Timer::Again => self.again(Some(step.now.at), step),
            Timer::Stage => {
                let refusal = self.too_long();
                self.fail(refusal, step);
            }
        }
    }

    /// Who is waited for, and why.
    fn too_long(&self) -> Refusal {
        let stage = self.record.stage.as_str();
        let waited = self.planes.iter().filter(|(plane, live)| self.has_part(plane) && !live.answered);
        let waited = waited.map(|(plane, live)| match (&live.refused, &live.progress) {
            _ if !live.connected => format!("plane {plane} is not connected"),
            (Some(refused), _) => format!("plane {plane}: {refused}"),
            (None, Some(progress)) => format!("plane {plane}: {}", progress.text),
            (None, None) => format!("plane {plane} has not answered"),
        });
        let waited: Vec<String> = waited.take(3).collect();
        Refusal::new(Reason::RestoreTimedOut, format!("{stage} took too long; {}", waited.join("; ")))
    }

    pub(super) fn ask_for_claim(&mut self, step: &mut Step) {
        let target = self.record.admitted.as_ref().and_then(|admitted| Some((admitted.cluster?, admitted.floor)));
        match target {
            Some((cluster, floor)) => step.push(Effect::Claim { cluster, floor }),
            // Looking admits nothing without it.
            None => self.fail(Refusal::new(Reason::Internal, "the target was not found"), step),
        }
    }

    fn claimed(&mut self, epoch: Epoch, step: &mut Step) {
        let Some(admitted) = &self.record.admitted else { return };
        let (cluster, floor) = (admitted.cluster, admitted.floor);
        if self.record.stage != Stage::Claiming || epoch <= floor {
            return;
        }
        self.claim_holder = String::new();
        (self.record.epoch, self.record.cluster) = (epoch, cluster);
        self.enter(Stage::Confirming, step);
    }
}

impl Machine for Restoring {
    type Input = Input;
    type Effect = Effect;
    type Timer = Timer;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut step = Step::new(now);
        match input {
            Input::Start => {
                // A new wish is not stored yet, and one that was found is stored again: whoever had it before cannot save it any more.
                self.save(&mut step);
                self.begin(&mut step);
            }
            Input::PlaneUp(plane) => self.plane_up(&plane, &mut step),
            Input::PlaneDown(plane) => {
                if let Some(live) = self.planes.get_mut(&plane) {
                    live.connected = false;
                }
            }
            Input::Answer { plane, epoch, answer } => self.answer(&plane, epoch, answer, &mut step),
            Input::Claimed(epoch) => self.claimed(epoch, &mut step),
            Input::ClaimTaken(holder) => self.claim_holder = holder,
            Input::ClaimRefused(refusal) => {
                if self.record.stage == Stage::Claiming {
                    self.fail(refusal, &mut step);
                }
            }
            Input::ClaimFree => {
                if self.record.stage == Stage::Claiming {
                    self.ask_for_claim(&mut step);
                }
            }
            Input::Cancel => self.cancel(Reason::Cancelled, &mut step),
            Input::Delete(policy) => self.delete(policy, &mut step),
            Input::TryAgain => self.again(None, &mut step),
            Input::Expired(timer) => self.expired_timer(timer, &mut step),
        }
        debug_assert_eq!(self.check(), Ok(()), "{self:#?}");
        step.out
    }

    fn deadline(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    fn expired(timer: Timer) -> Input {
        Input::Expired(timer)
    }
}
