//! PD held by the init plane, then leaders asked everywhere; runs against the settle clock.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::Reason,
    wire::Settled,
};

impl Barrier {
    pub(in crate::barrier) fn begin_settling(&mut self, step: &mut Step) {
        let limits = &self.record.request.limits;
        let (settle, total) = (step.now.at + limits.settle, step.now.at + limits.total);
        self.set(Timer::Settle, settle);
        self.set(Timer::Total, total);
        self.clock_from = Some(step.now.at);
        self.enter(Phase::Settling, step);
    }

    pub(in crate::barrier) fn settle_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.settle;
        self.clock_expired(Reason::SettleTimedOut, "settle", limit, step);
    }

    pub(in crate::barrier) fn settled(&mut self, plane: &PlaneId, settled: Settled, step: &mut Step) {
        match (settled, self.gc_hold) {
            (Settled::PdHeld { gc_hold, .. }, None) => {
                if self.record.request.init_plane() == Some(plane) && self.accept_answer(plane, Phase::Settling, step) {
                    self.gc_hold = Some(gc_hold);
                    self.enter(Phase::Settling, step);
                }
            }
            (Settled::Leaders { .. }, Some(_)) => {
                if self.accept_answer(plane, Phase::Settling, step) && self.all_answered() {
                    self.begin_suspending(step);
                }
            }
            (Settled::PdHeld { .. }, Some(_)) | (Settled::Leaders { .. }, None) => {}
        }
    }
}
