//! Letting go, the good end.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Effect, Step},
        machine::{Member, Pending},
        phase::Phase,
    },
    reason::Reason,
    wire::{Answer, Released},
};

impl Member {
    pub(in crate::member) fn release(&mut self, epoch: Epoch, step: &mut Step) {
        if self.phase == Phase::Broken {
            self.send_broken(epoch, step);
        } else if self.phase == Phase::Idle {
            // Nothing of this attempt is known any more, so nothing of it is held.
            self.send(epoch, Answer::Released(Released {}), step);
        } else if self.phase.is_confirmed() && epoch == self.epoch {
            self.drop_holds(step);
            self.phase = Phase::Released;
            self.pending = Some(Pending::Released(epoch));
            self.flush_pending(step);
        } else if self.is_ours(epoch, step) {
            let text = format!("Release does not follow {:?}: not confirmed here", self.phase);
            self.refuse(epoch, Reason::Internal, text, step);
        }
    }

    /// Ends every hold, if there may be one, and stops every clock of theirs.
    pub(in crate::member) fn drop_holds(&mut self, step: &mut Step) {
        self.holds.clear();
        self.timers.stop_all();
        self.lease.end();
        if let Some(number) = self.pd.stop_renewing() {
            self.cancel(number, step);
        }
        if std::mem::take(&mut self.touched) {
            self.dropping = self.dropping.saturating_add(1);
            step.push(Effect::DropHolds { confirmed: self.phase.is_confirmed() });
        }
    }

    pub(in crate::member) fn holds_dropped(&mut self, step: &mut Step) {
        if self.dropping == 0 {
            self.alarm("let go without being asked", step);
            return;
        }
        self.dropping -= 1;
        self.flush_pending(step);
    }

    /// Says what is pending once nothing is being let go any more.
    pub(in crate::member) fn flush_pending(&mut self, step: &mut Step) {
        if self.dropping > 0 {
            return;
        }
        match self.pending.take() {
            None => {}
            Some(Pending::Released(epoch)) => self.send(epoch, Answer::Released(Released {}), step),
            Some(Pending::Aborted(epoch)) => self.send(epoch, self.aborted(), step),
        }
    }
}
