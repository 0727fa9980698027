//! The claim of the TiDB cluster: one backup at a time, and this attempt's epoch. Nothing is touched before it is saved.

use crate::{
    alarm::Alarm,
    barrier::{
        input::{Effect, Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    epoch::Epoch,
    reason::{Reason, Refusal},
};

impl Barrier {
    pub(in crate::barrier) fn claimed(&mut self, epoch: Epoch, step: &mut Step) {
        self.claim_pending = false;
        if self.phase != Phase::Claiming {
            return self.end_claim(step);
        }
        let floor = self.floor();
        if epoch <= floor {
            self.alarm(Alarm::ClaimBelowFloor { granted: epoch, floor }, step);
            self.fail(Refusal::new(Reason::Internal, format!("claim granted epoch {epoch}, not above {floor}")), step);
            return;
        }
        self.record.epoch = epoch;
        self.record.milestone = Milestone::Barrier;
        self.save(step);
        self.set(Timer::Prepare, step.now.at + self.record.request.limits.prepare);
        self.set(Timer::Renew, step.now.at + self.record.request.limits.plane_lease.quarter());
        self.enter(Phase::Reserving, step);
    }

    /// Once nothing of the attempt can be held any more.
    pub(super) fn end_claim(&self, step: &mut Step) {
        if let Some(cluster) = self.record.cluster {
            step.push(Effect::EndClaim { cluster });
        }
    }

    fn floor(&self) -> Epoch {
        self.planes
            .values()
            .filter_map(|live| live.prepared.as_ref().map(|p| p.highest_epoch))
            .max()
            .unwrap_or(Epoch::NONE)
    }

    pub(in crate::barrier) fn claim_taken(&mut self, holder: String) {
        self.claim_pending = false;
        if self.phase == Phase::Claiming {
            self.claim_holder = holder;
        }
    }

    /// No epoch can be granted, now or later.
    pub(in crate::barrier) fn claim_refused(&mut self, refusal: Refusal, step: &mut Step) {
        self.claim_pending = false;
        if self.phase == Phase::Claiming {
            self.fail(refusal, step);
        }
    }

    /// What was prepared while another attempt ran may be stale by now: prepare anew.
    pub(in crate::barrier) fn claim_free(&mut self, step: &mut Step) {
        if self.phase == Phase::Claiming && !self.claim_pending {
            self.next_round_after(self.round);
            self.begin_preparing(step);
        }
    }
}
