//! Last renewals and evidence, then the verdict.

use crate::{
    alarm::Alarm,
    barrier::{
        certify::certify,
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    evidence::Evidence,
    ids::PlaneId,
    reason::{Reason, Refusal},
};

impl Barrier {
    pub(in crate::barrier) fn confirmed(&mut self, plane: &PlaneId, evidence: Evidence, step: &mut Step) {
        let before = self.planes.get(plane).and_then(|live| live.evidence.clone());
        if before.as_ref().is_some_and(|before| before != &evidence) {
            self.alarm(Alarm::EvidenceChanged { plane: plane.clone() }, step);
            self.fail(Refusal::new(Reason::Internal, format!("plane {plane} changed its evidence")), step);
            return;
        }
        if !self.accept_answer(plane, Phase::Confirming, step) {
            return;
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.evidence = Some(evidence);
        }
        if self.all_answered() {
            self.conclude(true, step);
        }
    }

    /// All evidence is in: judge it. Planes are released before the certificate is saved, because their evidence is
    /// already durable with them and every moment of the hold counts.
    pub(in crate::barrier) fn conclude(&mut self, release_first: bool, step: &mut Step) {
        let evidence = self
            .planes
            .iter()
            .filter_map(|(plane, live)| live.evidence.clone().map(|seen| (plane.clone(), seen)))
            .collect();
        match certify(&self.record, &evidence, step.now.wall) {
            Err(refusal) => self.fail(refusal, step),
            Ok(certificate) => {
                self.record.certificate = Some(certificate);
                self.record.milestone = Milestone::Certified;
                self.stop(&[Timer::Recover, Timer::Renew, Timer::PlaneLost]);
                self.set(Timer::HoldsGone, step.now.at + self.holds_end());
                if release_first {
                    self.enter(Phase::Releasing, step);
                    self.save(step);
                } else {
                    self.save(step);
                    self.enter(Phase::Releasing, step);
                }
            }
        }
    }
}
