//! The claim of the TiDB cluster: one backup at a time, and this attempt's epoch. Nothing is touched before it is saved.

use crate::{
    alarm::Alarm,
    barrier::{
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    epoch::Epoch,
    reason::{Reason, Refusal},
    time::Now,
};

impl Barrier {
    pub(in crate::barrier) fn claimed(&mut self, now: Now, epoch: Epoch, effects: &mut Vec<Effect>) {
        self.claim_pending = false;
        if self.phase != Phase::Claiming {
            return self.end_claim(effects);
        }
        let floor = self.floor();
        if epoch <= floor {
            self.alarm(Alarm::ClaimBelowFloor { granted: epoch, floor }, effects);
            self.fail(
                now,
                Refusal::new(Reason::Internal, format!("claim granted epoch {epoch}, not above {floor}")),
                effects,
            );
            return;
        }
        self.record.epoch = epoch;
        self.record.milestone = Milestone::Barrier;
        self.save(effects);
        self.set(Timer::Prepare, now.at + self.record.request.limits.prepare);
        self.set(Timer::Renew, now.at + self.record.request.limits.plane_lease.quarter());
        self.enter(Phase::Reserving, effects);
    }

    /// Once nothing of the attempt can be held any more.
    pub(super) fn end_claim(&self, effects: &mut Vec<Effect>) {
        if let Some(cluster) = self.record.cluster {
            effects.push(Effect::EndClaim { cluster });
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
    pub(in crate::barrier) fn claim_refused(&mut self, now: Now, refusal: Refusal, effects: &mut Vec<Effect>) {
        self.claim_pending = false;
        if self.phase == Phase::Claiming {
            self.fail(now, refusal, effects);
        }
    }

    /// What was prepared while another attempt ran may be stale by now: prepare anew.
    pub(in crate::barrier) fn claim_free(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Claiming && !self.claim_pending {
            self.next_round_after(self.round);
            self.begin_preparing(now, effects);
        }
    }
}
