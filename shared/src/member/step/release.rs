//! Letting go, the good end.

use crate::{
    epoch::Epoch,
    member::{
        effect::Effect,
        machine::{Member, Pending},
        phase::Phase,
    },
    reason::Reason,
    wire::{Answer, Released},
};

impl Member {
    pub(in crate::member) fn release(&mut self, epoch: Epoch, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Broken {
            self.send_broken(epoch, effects);
        } else if self.phase == Phase::Idle {
            // Nothing of this attempt is known any more, so nothing of it is held.
            self.send(epoch, Answer::Released(Released {}), effects);
        } else if self.phase.is_confirmed() && epoch == self.epoch {
            self.drop_holds(effects);
            self.phase = Phase::Released;
            self.pending = Some(Pending::Released(epoch));
            self.pay(effects);
        } else if self.is_ours(epoch, effects) {
            let text = format!("Release does not follow {:?}: not confirmed here", self.phase);
            self.refuse(epoch, Reason::Internal, text, effects);
        }
    }

    /// Ends every hold, if there may be one, and stops every clock of theirs.
    pub(in crate::member) fn drop_holds(&mut self, effects: &mut Vec<Effect>) {
        self.holds.clear();
        self.timers.stop_all();
        if let Some(number) = self.pd_work.take() {
            effects.push(Effect::CancelWork { number });
        }
        if std::mem::take(&mut self.touched) {
            self.dropping = self.dropping.saturating_add(1);
            effects.push(Effect::DropHolds { confirmed: self.phase.is_confirmed() });
        }
    }

    pub(in crate::member) fn holds_dropped(&mut self, effects: &mut Vec<Effect>) {
        if self.dropping == 0 {
            self.alarm("let go without being asked", effects);
            return;
        }
        self.dropping -= 1;
        self.pay(effects);
    }

    /// Says what is pending once nothing is being let go any more.
    pub(in crate::member) fn pay(&mut self, effects: &mut Vec<Effect>) {
        if self.dropping > 0 {
            return;
        }
        match self.pending.take() {
            None => {}
            Some(Pending::Released(epoch)) => self.send(epoch, Answer::Released(Released {}), effects),
            Some(Pending::Aborted(epoch)) => self.send(epoch, self.aborted(), effects),
        }
    }
}
