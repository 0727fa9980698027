//! PD held by the init plane, then leaders asked everywhere; runs against the settle clock.

use crate::{
    barrier::{
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::Reason,
    time::Now,
    wire::Settled,
};

impl Barrier {
    pub(in crate::barrier) fn begin_settling(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let limits = &self.record.request.limits;
        let (settle, total) = (now.at + limits.settle, now.at + limits.total);
        self.set(Timer::Settle, settle);
        self.set(Timer::Total, total);
        self.clock_from = Some(now.at);
        self.enter(Phase::Settling, effects);
    }

    pub(in crate::barrier) fn settle_expired(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let limit = self.record.request.limits.settle;
        self.clock_expired(now, Reason::SettleTimedOut, "settle", limit, effects);
    }

    pub(in crate::barrier) fn settled(
        &mut self,
        now: Now,
        plane: &PlaneId,
        settled: Settled,
        effects: &mut Vec<Effect>,
    ) {
        match (settled, self.gc_hold) {
            (Settled::PdHeld { gc_hold, .. }, None) => {
                if self.record.request.init_plane() == Some(plane) && self.mark(plane, Phase::Settling) {
                    self.gc_hold = Some(gc_hold);
                    self.enter(Phase::Settling, effects);
                }
            }
            (Settled::Leaders { .. }, Some(_)) => {
                if self.mark(plane, Phase::Settling) && self.all_answered() {
                    self.begin_suspending(now, effects);
                }
            }
            (Settled::PdHeld { .. }, Some(_)) | (Settled::Leaders { .. }, None) => {}
        }
    }
}
