//! Ends, good and bad, and what comes after them: letting go, breaking, recovering, completing, cleaning.

use super::{
    effect::{Effect, Work},
    ledger::AttemptState,
    machine::{Member, Owed},
    orders::safe_point_service,
    state::Phase,
};
use crate::{
    epoch::Epoch,
    reason::{Reason, Refusal},
    wire::{Aborted, Answer, CleanScope, Order, Recovered, Released},
};

impl Member {
    /// What a broken attempt answers, always the same.
    pub(super) fn aborted(&self) -> Answer {
        Answer::Aborted(Aborted { cause: self.cause.clone() })
    }

    /// Ends every hold, if there may be one, and stops every clock of theirs.
    pub(super) fn let_go(&mut self, effects: &mut Vec<Effect>) {
        self.holds.clear();
        (self.lease, self.renew_stores_at, self.renew_pd_at) = (None, None, None);
        if let Some(number) = self.pd_work.take() {
            effects.push(Effect::CancelWork { number });
        }
        if std::mem::take(&mut self.touched) {
            self.letting_go = self.letting_go.saturating_add(1);
            effects.push(Effect::LetGo { good: self.phase.is_confirmed() });
        }
    }

    /// Never confirmed any more: durable before anything is let go or said.
    pub(super) fn give_up(&mut self, cause: Option<Refusal>, effects: &mut Vec<Effect>) {
        self.cancel_work(effects);
        self.phase = Phase::Broken;
        self.cause = cause;
        self.evidence = None;
        self.last = None;
        self.save(AttemptState::Broken, effects);
        self.let_go(effects);
    }

    /// A hold ended, or work failed, before the confirmation: the coordinator is told unasked.
    pub(super) fn break_off(&mut self, cause: Refusal, effects: &mut Vec<Effect>) {
        self.give_up(Some(cause), effects);
        self.send(self.epoch, self.aborted(), effects);
    }

    /// The process ends. What is not close to its evidence is broken off now, so that nobody waits for holds that end by
    /// themselves; what is close may come to it, if `finish`. Saved evidence stays true however the holds end.
    pub(super) fn stop(&mut self, finish: bool, effects: &mut Vec<Effect>) {
        self.stopping = true;
        let close = matches!(self.phase, Phase::Confirming | Phase::ReadingBack | Phase::Confirmed);
        if finish && close {
            return;
        }
        if self.phase.is_live() {
            self.break_off(Refusal::new(Reason::PlaneRestarted, "the plane actor was told to end"), effects);
        } else {
            self.let_go(effects);
        }
    }

    /// Obeyed in every phase. It takes back evidence too: the coordinator has recorded the bad end before it sent this,
    /// and from then on `Recover` must be answered "aborted" (`design.md` §4).
    pub(super) fn abort(&mut self, epoch: Epoch, effects: &mut Vec<Effect>) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, effects);
            return;
        }
        if self.phase != Phase::Broken {
            self.epoch = epoch;
            self.highest = self.highest.max(epoch);
            self.give_up(None, effects);
        }
        self.owed = Some(Owed::Aborted(epoch));
        self.pay(effects);
    }

    pub(super) fn release(&mut self, epoch: Epoch, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Broken => {
                let answer = if epoch < self.epoch { None } else { Some(self.aborted()) };
                match answer {
                    Some(answer) => self.send(epoch, answer, effects),
                    None => self.refuse_stale(epoch, effects),
                }
            }
            // Nothing of this attempt is known any more, so nothing of it is held.
            Phase::Idle => self.send(epoch, Answer::Released(Released {}), effects),
            Phase::Confirmed | Phase::Released if epoch == self.epoch => {
                self.let_go(effects);
                self.phase = Phase::Released;
                self.owed = Some(Owed::Released(epoch));
                self.pay(effects);
            }
            phase => {
                if self.is_ours(epoch, effects) {
                    let text = format!("Release does not follow {phase:?}: not confirmed here");
                    self.refuse(epoch, Reason::Internal, text, effects);
                }
            }
        }
    }

    pub(super) fn let_gone(&mut self, effects: &mut Vec<Effect>) {
        if self.letting_go == 0 {
            self.alarm("let go without being asked", effects);
            return;
        }
        self.letting_go -= 1;
        self.pay(effects);
    }

    /// Says what is owed once nothing is being let go any more.
    fn pay(&mut self, effects: &mut Vec<Effect>) {
        if self.letting_go > 0 {
            return;
        }
        match self.owed.take() {
            None => {}
            Some(Owed::Released(epoch)) => self.send(epoch, Answer::Released(Released {}), effects),
            Some(Owed::Aborted(epoch)) => self.send(epoch, self.aborted(), effects),
        }
    }

    /// A coordinator that asks has restarted. What was not confirmed by then never will be.
    pub(super) fn recover(&mut self, epoch: Epoch, effects: &mut Vec<Effect>) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, effects);
            return;
        }
        let evidence = self.evidence.clone().filter(|evidence| self.phase.is_confirmed() && evidence.epoch == epoch);
        let recovered = match evidence {
            Some(evidence) => Recovered::Evidence(evidence),
            None => {
                if !matches!(self.phase, Phase::Idle | Phase::Broken) {
                    self.epoch = epoch;
                    self.highest = self.highest.max(epoch);
                    let text = "the coordinator restarted before this plane had confirmed";
                    self.give_up(Some(Refusal::new(Reason::CoordinatorRestarted, text)), effects);
                }
                Recovered::Aborted
            }
        };
        self.send(epoch, Answer::Recovered(recovered), effects);
    }

    /// `Complete` and `Clean` go by backup and attempt, not by phase; they only must not contradict what is saved.
    pub(super) fn afterwards(&mut self, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        let keeps = match &order {
            Order::Clean(clean) => clean.scope == CleanScope::Surplus,
            _ => true,
        };
        if keeps && !matches!(self.phase, Phase::Idle | Phase::Confirmed | Phase::Released) {
            let text = format!("this attempt stands at {:?} here, it has no evidence", self.phase);
            self.refuse(epoch, Reason::EvidenceBroken, text, effects);
            return;
        }
        if keeps {
            self.cancel_work(effects);
            self.let_go(effects);
            if self.phase == Phase::Confirmed {
                self.phase = Phase::Released;
            }
        } else if matches!(self.phase, Phase::Idle | Phase::Broken) {
            self.cancel_work(effects);
        } else {
            // Evidence must not outlive the snapshots that it names.
            self.give_up(None, effects);
        }
        self.last = None;
        self.current = Some((epoch, order.clone()));
        match order {
            Order::Complete(complete) => self.begin(Work::Complete(complete), effects),
            Order::Clean(order) => {
                let service = safe_point_service(&self.attempt, epoch);
                self.begin(Work::Clean { order, service }, effects);
            }
            _ => self.current = None,
        }
    }
}
