//! Every store held by a lease; the reach clock begins.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::Reason,
};

impl Barrier {
    pub(in crate::barrier) fn begin_suspending(&mut self, step: &mut Step) {
        self.record.barrier.settle = self.clock_from.map(|from| step.now.at.since(from));
        self.stop(&[Timer::Settle]);
        self.set(Timer::Reach, step.now.at + self.record.request.limits.reach);
        self.clock_from = Some(step.now.at);
        self.enter(Phase::Suspending, step);
    }

    pub(in crate::barrier) fn reach_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.reach;
        self.clock_expired(Reason::ReachTimedOut, "reach", limit, step);
    }

    pub(in crate::barrier) fn suspended(&mut self, plane: &PlaneId, step: &mut Step) {
        if self.accept_answer(plane, Phase::Suspending, step) && self.all_answered() {
            self.cover_round = 1;
            self.enter(Phase::Covering, step);
        }
    }
}
