//! Where a record goes on, new or found in the ledger.

use crate::{
    barrier::{
        input::{Effect, Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    reason::{Reason, Refusal},
};

impl Barrier {
    pub(in crate::barrier) fn start(&mut self, step: &mut Step) {
        match self.record.milestone {
            Milestone::Preparing => {
                self.save(step);
                self.begin_preparing(step);
            }
            Milestone::Barrier => {
                // The save that brought us here may have been refused for its size; this one is smaller than what is stored.
                self.make_room();
                let text = "the coordinator restarted before snapshots were asked for";
                self.fail(Refusal::new(Reason::CoordinatorRestarted, text), step);
            }
            Milestone::Aborting => self.begin_aborting(step),
            Milestone::Snapshotting => self.begin_recovering(step),
            Milestone::Certified => {
                self.set(Timer::HoldsGone, step.now.at + self.holds_end());
                self.enter(Phase::Releasing, step);
            }
            Milestone::Complete => self.begin_measuring(step),
            Milestone::Failed => self.begin_failed(step),
            Milestone::Cleaning => self.begin_cleaning(step),
            Milestone::Cleaned => step.push(Effect::Gone),
        }
    }
}
