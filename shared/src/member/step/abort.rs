//! The bad end: that it is one is durable before anything is let go or said.

use crate::{
    epoch::Epoch,
    member::{
        effect::Step,
        ledger::AttemptState,
        machine::{Member, Pending},
        phase::Phase,
    },
    reason::Refusal,
    wire::{Aborted, Answer},
};

impl Member {
    /// Obeyed in every phase. It takes back evidence too: the coordinator has recorded the bad end before it sent this,
    /// and from then on `Recover` must be answered "aborted" (`design.md` §4).
    pub(in crate::member) fn abort(&mut self, epoch: Epoch, step: &mut Step) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, step);
            return;
        }
        if self.phase != Phase::Broken {
            self.epoch = epoch;
            self.highest = self.highest.max(epoch);
            self.mark_broken(None, step);
        }
        self.pending = Some(Pending::Aborted(epoch));
        self.flush_pending(step);
    }

    /// Never confirmed any more: durable before anything is let go or said.
    pub(in crate::member) fn mark_broken(&mut self, cause: Option<Refusal>, step: &mut Step) {
        self.cancel_work(step);
        self.phase = Phase::Broken;
        self.cause = cause;
        self.evidence = None;
        self.last = None;
        self.save(AttemptState::Broken, step);
        self.drop_holds(step);
    }

    /// A hold ended, or work failed, before the confirmation: the coordinator is told unasked.
    pub(in crate::member) fn abort_locally(&mut self, cause: Refusal, step: &mut Step) {
        self.mark_broken(Some(cause), step);
        self.send(self.epoch, self.aborted(), step);
    }

    /// What a broken attempt answers, always the same.
    pub(in crate::member) fn aborted(&self) -> Answer {
        Answer::Aborted(Aborted { cause: self.cause.clone() })
    }
}
