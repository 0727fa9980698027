//! Letting go, the good end.

use crate::{
    barrier::{clocks::HOLD_MARGIN, input::Step, machine::Barrier, phase::Phase},
    ids::PlaneId,
    time::Millis,
};

impl Barrier {
    /// How long after the last order every hold has ended by itself, whoever died: the plane's lease runs out, then the
    /// longest lease that it may just have renewed.
    pub(in crate::barrier) fn holds_end(&self) -> Millis {
        let limits = &self.record.request.limits;
        limits.plane_lease.plus(Millis(limits.store_lease.0.max(limits.pd_ttl.0))).plus(HOLD_MARGIN)
    }

    pub(in crate::barrier) fn released(&mut self, plane: &PlaneId, step: &mut Step) {
        if self.accept_answer(plane, Phase::Releasing, step) && self.all_answered() {
            self.begin_completing(step);
        }
    }

    pub(in crate::barrier) fn holds_gone(&mut self, step: &mut Step) {
        if self.phase == Phase::Releasing {
            self.begin_completing(step);
        } else if self.phase == Phase::Aborting {
            self.end_aborting(step);
        }
    }
}
