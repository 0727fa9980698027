//! Snapshots on their way to S3, metadata written.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        machine::{Member, Pending},
        phase::Phase,
    },
    reason::Reason,
    wire::{Answer, Complete, Completed, Order},
};

impl Member {
    pub(in crate::member) fn complete(&mut self, epoch: Epoch, complete: Complete, step: &mut Step) {
        if self.keeps_evidence(epoch, step) {
            self.take(epoch, Order::Complete(complete.clone()), step);
            self.begin(Work::Complete { order: complete, calls: self.calls.made() }, step);
        }
    }

    /// `Complete`, `Measure` and `Clean` go by backup and attempt, not by phase; they only must not contradict what is saved. What
    /// is still held ends here.
    pub(super) fn keeps_evidence(&mut self, epoch: Epoch, step: &mut Step) -> bool {
        if !matches!(self.phase, Phase::Idle | Phase::Confirmed | Phase::Released) {
            if self.record.as_ref().is_some_and(|kept| kept.taken_back && kept.epoch == epoch) {
                // As the end itself is answered: once everything is let go.
                self.pending = Some(Pending::Aborted(epoch));
                self.flush_pending(step);
                return false;
            }
            let text = format!("this attempt stands at {:?} here, it has no evidence", self.phase);
            self.refuse(epoch, Reason::EvidenceBroken, text, step);
            return false;
        }
        self.cancel_work(step);
        self.drop_holds(step);
        if self.phase == Phase::Confirmed {
            self.phase = Phase::Released;
        }
        true
    }

    pub(super) fn completed(&mut self, completed: Completed, step: &mut Step) {
        self.answer(Answer::Completed(completed), step);
    }
}
