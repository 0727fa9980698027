//! Recovery of an attempt whose evidence may already be complete.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::Millis,
    wire::Recovered,
};

/// How long planes are given to tell their evidence after a restart of the coordinator. Their holds end by themselves
/// meanwhile, so this bounds nobody's pain but the wait for a verdict.
const RECOVER_LIMIT: Millis = Millis::secs(120);

impl Barrier {
    pub(in crate::barrier) fn begin_recovering(&mut self, step: &mut Step) {
        self.set(Timer::Recover, step.now.at + RECOVER_LIMIT);
        self.enter(Phase::Recovering, step);
    }

    pub(in crate::barrier) fn recovered(&mut self, plane: &PlaneId, recovered: Recovered, step: &mut Step) {
        if !self.accept_answer(plane, Phase::Recovering, step) {
            return;
        }
        match recovered {
            Recovered::Aborted => {
                let text = format!("the coordinator restarted, and plane {plane} had not confirmed");
                self.fail(Refusal::new(Reason::CoordinatorRestarted, text), step);
            }
            Recovered::Evidence(evidence) => {
                if let Some(live) = self.planes.get_mut(plane) {
                    live.evidence = Some(evidence);
                }
                if self.all_answered() {
                    self.conclude(false, step);
                }
            }
        }
    }

    pub(in crate::barrier) fn recover_expired(&mut self, step: &mut Step) {
        if self.phase == Phase::Recovering {
            let text =
                format!("the coordinator restarted, and no evidence came within 120 s from {}", self.unanswered());
            self.fail(Refusal::new(Reason::CoordinatorRestarted, text), step);
        }
    }
}
