//! Where a record goes on, new or found in the ledger.

use crate::{
    barrier::{
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    reason::{Reason, Refusal},
    time::Now,
};

impl Barrier {
    pub(in crate::barrier) fn start(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.record.milestone {
            Milestone::Preparing => {
                self.save(effects);
                self.begin_preparing(now, effects);
            }
            Milestone::Barrier => {
                // The save that brought us here may have been refused for its size; this one is smaller than what is stored.
                self.forget_stores();
                let text = "the coordinator restarted before snapshots were asked for";
                self.fail(now, Refusal::new(Reason::CoordinatorRestarted, text), effects);
            }
            Milestone::Aborting => self.begin_aborting(now, effects),
            Milestone::Snapshotting => self.begin_recovering(now, effects),
            Milestone::Certified => {
                self.set(Timer::HoldsGone, now.at + self.holds_end());
                self.enter(Phase::Releasing, effects);
            }
            Milestone::Complete => {}
            Milestone::Failed => self.begin_failed(now, effects),
            Milestone::Cleaning => self.begin_cleaning(now, effects),
            Milestone::Cleaned => effects.push(Effect::Gone),
        }
    }
}
