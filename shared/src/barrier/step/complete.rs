//! Snapshots on their way to S3, metadata written.

use crate::{
    barrier::{
        common::Common,
        increments::Increments,
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
        sizes::wanted,
    },
    ids::PlaneId,
    wire::{Complete, Completed, Order},
};

impl Barrier {
    pub(in crate::barrier) fn begin_completing(&mut self, step: &mut Step) {
        self.stop(&[Timer::HoldsGone, Timer::Hold, Timer::Total]);
        self.record.barrier.hold = self.record.barrier.hold.or(self.clock_from.map(|from| step.now.at.since(from)));
        self.record.times.snapshots_created.get_or_insert(step.now.wall);
        self.save(step);
        self.end_claim(step);
        self.enter(Phase::Completing, step);
        self.complete_if_done(step);
    }

    pub(in crate::barrier) fn complete_order(&self, plane: &PlaneId, common: &Common) -> Option<Order> {
        let kept = self.record.planes.get(plane)?;
        let certificate = self.record.certificate.as_ref()?;
        if kept.completed_bytes.is_some() {
            return None;
        }
        let snapshots = certificate.planes.get(plane).map(|part| part.evidence.snapshots.clone()).unwrap_or_default();
        Some(Order::Complete(Complete {
            spec: self.spec_of(plane)?,
            cluster: certificate.cluster,
            cluster_version: self.record.cluster_version.clone(),
            commit_ts: certificate.commit_ts,
            cluster_stores: u32::try_from(self.record.cluster_stores.len()).unwrap_or(u32::MAX),
            stores: kept.stores.clone(),
            snapshots,
            certificate: common.text(&self.record, certificate),
            packed: None,
        }))
    }

    pub(in crate::barrier) fn completed(&mut self, plane: &PlaneId, completed: Completed, step: &mut Step) {
        if !self.accept_answer(plane, Phase::Completing, step) {
            return;
        }
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.completed_bytes = Some(completed.full_bytes);
            kept.unknown_sizes = completed.unknown;
            kept.notes = completed.notes;
            let measures = completed.measures && wanted(self.record.request.size_level);
            kept.increments = measures.then(Increments::default);
        }
        self.complete_if_done(step);
        if self.phase == Phase::Completing {
            self.save_soon(step);
        }
    }

    fn complete_if_done(&mut self, step: &mut Step) {
        if self.record.planes.values().all(|kept| kept.completed_bytes.is_some()) {
            self.record.milestone = Milestone::Complete;
            self.record.times.completed = Some(step.now.wall);
            self.stand_at(Phase::Complete, step);
            self.stop(&[Timer::Again]);
            self.save(step);
            self.begin_measuring(step);
        }
    }
}
