//! commitTs is fixed and saved, then snapshots are asked for; the hold clock begins.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    ids::PlaneId,
    reason::{Reason, Refusal},
    ts::Ts,
    wire::CallAccepted,
};

impl Barrier {
    /// I4: commitTs is the least safe_ts over the exact tiling, saved before any snapshot is asked for.
    pub(in crate::barrier) fn fix_commit_ts(&mut self, step: &mut Step) {
        let least = self.planes.values().filter_map(|live| live.cover.as_ref()).map(|c| c.least_safe_ts).min();
        let commit_ts = least.unwrap_or(Ts::ZERO);
        let gc_hold = self.gc_hold.unwrap_or(Ts::NOT_INITIALIZED);
        if !commit_ts.is_real() || commit_ts <= gc_hold {
            let text = format!("the least safe_ts {commit_ts} is not above the GC hold {gc_hold}");
            self.fail(Refusal::new(Reason::SafeTsStuck, text), step);
            return;
        }
        self.record.barrier.reach = self.clock_from.map(|from| step.now.at.since(from));
        self.stop(&[Timer::Reach]);
        self.set(Timer::Hold, step.now.at + self.record.request.limits.hold);
        self.clock_from = Some(step.now.at);
        self.record.commit_ts = Some(commit_ts);
        for (plane, live) in &self.planes {
            if let Some(kept) = self.record.planes.get_mut(plane) {
                kept.least_safe_ts = live.cover.as_ref().map(|c| c.least_safe_ts).filter(|ts| ts.is_real());
            }
        }
        self.record.milestone = Milestone::Snapshotting;
        self.save(step);
        self.enter(Phase::Snapshotting, step);
    }

    pub(in crate::barrier) fn hold_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.hold;
        self.clock_expired(Reason::HoldTimedOut, "hold", limit, step);
    }

    pub(in crate::barrier) fn snapshotted(&mut self, plane: &PlaneId, accepted: Vec<CallAccepted>, step: &mut Step) {
        if !self.accept_answer(plane, Phase::Snapshotting, step) {
            return;
        }
        self.record.moments.accepted(plane, accepted);
        if self.all_answered() {
            self.enter(Phase::Confirming, step);
        }
    }
}
