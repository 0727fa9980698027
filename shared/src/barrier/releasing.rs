//! The good end: releasing, completing; and recovery of an attempt whose evidence may already be complete.

use super::{
    input::{Effect, Timer},
    machine::{Barrier, HOLD_MARGIN},
    phase::Phase,
    record::Milestone,
};
use crate::{
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::{Millis, Now},
    wire::{Complete, Completed, Order, Recovered},
};

/// How long planes are given to tell their evidence after a restart of the coordinator. Their holds end by themselves
/// meanwhile, so this bounds nobody's pain but the wait for a verdict.
const RECOVER_LIMIT: Millis = Millis::secs(120);

impl Barrier {
    /// How long after the last order every hold has ended by itself, whoever died: the plane's lease runs out, then the
    /// longest lease that it may just have renewed.
    pub(super) fn holds_end(&self) -> Millis {
        let limits = &self.record.request.limits;
        limits.plane_lease.plus(Millis(limits.store_lease.0.max(limits.pd_ttl.0))).plus(HOLD_MARGIN)
    }

    pub(super) fn released(&mut self, now: Now, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Releasing) && self.all_answered() {
            self.begin_completing(now, effects);
        }
    }

    pub(super) fn holds_gone(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Releasing => self.begin_completing(now, effects),
            Phase::Aborting => self.end_aborting(now, effects),
            _ => {}
        }
    }

    fn begin_completing(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.stop(&[Timer::HoldsGone, Timer::Hold, Timer::Total]);
        self.record.barrier.hold = self.record.barrier.hold.or(self.clock_from.map(|from| now.at.since(from)));
        self.record.times.snapshots_created.get_or_insert(now.wall);
        self.save(effects);
        if let Some(cluster) = self.record.cluster {
            effects.push(Effect::EndClaim { cluster });
        }
        self.enter(Phase::Completing, effects);
        self.complete_if_done(now, effects);
    }

    pub(super) fn complete_order(&self, plane: &PlaneId) -> Option<Order> {
        let kept = self.record.planes.get(plane)?;
        let certificate = self.record.certificate.as_ref()?;
        if kept.completed_bytes.is_some() {
            return None;
        }
        let snapshots = certificate.planes.get(plane).map(|part| part.evidence.snapshots.clone()).unwrap_or_default();
        Some(Order::Complete(Complete {
            spec: self.record.request.member_spec(plane)?,
            cluster: certificate.cluster,
            cluster_version: self.record.cluster_version.clone(),
            commit_ts: certificate.commit_ts,
            cluster_stores: u32::try_from(self.record.cluster_stores.len()).unwrap_or(u32::MAX),
            stores: kept.stores.clone(),
            snapshots,
            certificate: certificate.to_json(&self.record.barrier),
        }))
    }

    pub(super) fn completed(&mut self, now: Now, plane: &PlaneId, completed: Completed, effects: &mut Vec<Effect>) {
        if !self.mark(plane, Phase::Completing) {
            return;
        }
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.completed_bytes = Some(completed.full_bytes);
            kept.notes = completed.notes;
        }
        self.save(effects);
        self.complete_if_done(now, effects);
    }

    fn complete_if_done(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.record.planes.values().all(|kept| kept.completed_bytes.is_some()) {
            self.record.milestone = Milestone::Complete;
            self.record.times.completed = Some(now.wall);
            self.phase = Phase::Complete;
            self.stop(&[Timer::Again]);
            self.save(effects);
        }
    }

    pub(super) fn begin_recovering(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.set(Timer::Recover, now.at + RECOVER_LIMIT);
        self.enter(Phase::Recovering, effects);
    }

    pub(super) fn recovered(&mut self, now: Now, plane: &PlaneId, recovered: Recovered, effects: &mut Vec<Effect>) {
        if !self.mark(plane, Phase::Recovering) {
            return;
        }
        match recovered {
            Recovered::Aborted => {
                let text = format!("the coordinator restarted, and plane {plane} had not confirmed");
                self.fail(now, Refusal::new(Reason::CoordinatorRestarted, text), effects);
            }
            Recovered::Evidence(evidence) => {
                if let Some(live) = self.planes.get_mut(plane) {
                    live.evidence = Some(evidence);
                }
                if self.all_answered() {
                    self.conclude(now, false, effects);
                }
            }
        }
    }

    pub(super) fn recover_expired(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Recovering {
            let text = format!("the coordinator restarted, and no evidence came within 120 s from {}", self.silent());
            self.fail(now, Refusal::new(Reason::CoordinatorRestarted, text), effects);
        }
    }
}
