//! Last renewals and evidence, then the verdict.

use crate::{
    alarm::Alarm,
    barrier::{
        certify::certify,
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    evidence::Evidence,
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::Now,
};

impl Barrier {
    pub(in crate::barrier) fn confirmed(
        &mut self,
        now: Now,
        plane: &PlaneId,
        evidence: Evidence,
        effects: &mut Vec<Effect>,
    ) {
        let before = self.planes.get(plane).and_then(|live| live.evidence.clone());
        if before.as_ref().is_some_and(|before| before != &evidence) {
            self.alarm(Alarm::EvidenceChanged { plane: plane.clone() }, effects);
            self.fail(now, Refusal::new(Reason::Internal, format!("plane {plane} changed its evidence")), effects);
            return;
        }
        if !self.mark(plane, Phase::Confirming) {
            return;
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.evidence = Some(evidence);
        }
        if self.all_answered() {
            self.conclude(now, true, effects);
        }
    }

    /// All evidence is in: judge it. Planes are released before the certificate is saved, because their evidence is
    /// already durable with them and every moment of the hold counts.
    pub(in crate::barrier) fn conclude(&mut self, now: Now, release_first: bool, effects: &mut Vec<Effect>) {
        let evidence = self
            .planes
            .iter()
            .filter_map(|(plane, live)| live.evidence.clone().map(|seen| (plane.clone(), seen)))
            .collect();
        match certify(&self.record, &evidence, now.wall) {
            Err(refusal) => self.fail(now, refusal, effects),
            Ok(certificate) => {
                self.record.certificate = Some(certificate);
                self.record.milestone = Milestone::Certified;
                self.stop(&[Timer::Recover, Timer::Renew, Timer::PlaneLost]);
                self.set(Timer::HoldsGone, now.at + self.holds_end());
                if release_first {
                    self.enter(Phase::Releasing, effects);
                    self.save(effects);
                } else {
                    self.save(effects);
                    self.enter(Phase::Releasing, effects);
                }
            }
        }
    }
}
