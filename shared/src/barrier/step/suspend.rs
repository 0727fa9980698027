//! Every store held by a lease; the reach clock begins.

use crate::{
    barrier::{
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::Reason,
    time::Now,
};

impl Barrier {
    pub(in crate::barrier) fn begin_suspending(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.record.barrier.settle = self.clock_from.map(|from| now.at.since(from));
        self.stop(&[Timer::Settle]);
        self.set(Timer::Reach, now.at + self.record.request.limits.reach);
        self.clock_from = Some(now.at);
        self.enter(Phase::Suspending, effects);
    }

    pub(in crate::barrier) fn reach_expired(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let limit = self.record.request.limits.reach;
        self.clock_expired(now, Reason::ReachTimedOut, "reach", limit, effects);
    }

    pub(in crate::barrier) fn suspended(&mut self, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Suspending) && self.all_answered() {
            self.cover_round = 1;
            self.enter(Phase::Covering, effects);
        }
    }
}
