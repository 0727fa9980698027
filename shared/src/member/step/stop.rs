//! What else ends an attempt: a process that has to go, an attempt that came after.

use crate::{
    epoch::Epoch,
    ids::ClusterId,
    member::{effect::Step, machine::Member, phase::Phase},
    reason::{Reason, Refusal},
};

impl Member {
    /// The process ends. What is not close to its evidence is broken off now, so that nobody waits for holds that end by
    /// themselves; what is close may come to it, if `finish`. Saved evidence stays true however the holds end.
    pub(in crate::member) fn stop(&mut self, finish: bool, step: &mut Step) {
        self.stopping = true;
        let close = matches!(self.phase, Phase::Confirming | Phase::ReadingBack | Phase::Confirmed);
        if finish && close {
            return;
        }
        if self.phase.is_live() {
            self.abort_locally(Refusal::new(Reason::PlaneRestarted, "the plane actor was told to end"), step);
        } else {
            self.drop_holds(step);
        }
    }

    pub(in crate::member) fn outbid(&mut self, cluster: ClusterId, epoch: Epoch, step: &mut Step) {
        if self.cluster() != Some(cluster) {
            return;
        }
        self.highest = self.highest.max(epoch);
        if epoch <= self.epoch || self.epoch == Epoch::NONE {
            return;
        }
        if self.phase.is_live() {
            let text = format!("epoch {epoch} is obeyed for TiDB cluster {cluster}, above {}", self.epoch);
            self.abort_locally(Refusal::new(Reason::EpochStale, text), step);
        } else {
            self.drop_holds(step);
        }
    }
}
