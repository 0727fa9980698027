//! Recovery: a coordinator that has restarted asks for evidence.

use crate::{
    epoch::Epoch,
    member::{effect::Step, machine::Member, phase::Phase},
    reason::{Reason, Refusal},
    wire::{Answer, Recovered},
};

impl Member {
    /// A coordinator that asks has restarted. What was not confirmed by then never will be.
    pub(in crate::member) fn recover(&mut self, epoch: Epoch, step: &mut Step) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, step);
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
                    self.mark_broken(Some(Refusal::new(Reason::CoordinatorRestarted, text)), step);
                }
                Recovered::Aborted
            }
        };
        self.send(epoch, Answer::Recovered(recovered), step);
    }
}
