//! How a restore ends otherwise: a failure, a wish, a deletion. What has to be taken away goes by how far it had come.

use super::{Step, machine::Restoring, request::RestoreCleanPolicy, stage::Stage};
use crate::{
    ids::PlaneId,
    reason::{Reason, Refusal},
};

impl Restoring {
    /// It ends badly, where it stands.
    pub(super) fn fail(&mut self, refusal: Refusal, step: &mut Step) {
        let stage = self.record.stage;
        if !stage.runs() {
            return;
        }
        self.record.failure = Some((stage, refusal));
        let next = if self.undoes(stage, self.record.request.clean_policy) { Stage::Undoing } else { Stage::Failed };
        self.record.undoes = (next == Stage::Undoing).then_some(stage);
        self.enter(next, step);
    }

    /// Is anything to be taken away? What was started may be somebody's cluster by now: it goes only where the wish says so.
    fn undoes(&self, stage: Stage, policy: RestoreCleanPolicy) -> bool {
        let touched = stage.has_touched() || stage == Stage::Complete;
        touched && (!stage.has_started() || policy == RestoreCleanPolicy::Delete)
    }

    pub(super) fn cancel(&mut self, reason: Reason, step: &mut Step) {
        self.fail(Refusal::new(reason, format!("in stage {}", self.record.stage.as_str())), step);
    }

    /// The object is deleted: what runs is ended, what is left goes by the policy, and then the object may go.
    pub(super) fn delete(&mut self, policy: RestoreCleanPolicy, step: &mut Step) {
        if self.record.deleting {
            return;
        }
        self.record.deleting = true;
        let stage = self.record.stage;
        // The policy as it was applied first counts unless the object has been given one that keeps more.
        if policy == RestoreCleanPolicy::Retain {
            self.record.request.clean_policy = policy;
        }
        let policy = self.record.request.clean_policy;
        match stage {
            Stage::Undoing => self.save(step),
            Stage::Complete if self.undoes(stage, policy) && self.record.request.makes_a_cluster() => {
                self.record.undoes = Some(stage);
                self.enter(Stage::Undoing, step);
            }
            Stage::Complete | Stage::Failed => self.enter(Stage::Cleaned, step),
            Stage::Cleaned => {}
            _ => self.cancel(Reason::Deleted, step),
        }
    }

    /// Something is left: it is asked for again, for ever, because it must not be forgotten.
    pub(super) fn not_undone(&mut self, plane: &PlaneId, refusal: Refusal, step: &mut Step) {
        self.save(step);
        self.pause(plane, refusal, step);
    }

    /// Nothing is left.
    pub(super) fn undone(&mut self, step: &mut Step) {
        let next = match (&self.record.failure, self.record.deleting) {
            (_, true) => Stage::Cleaned,
            (Some(_), false) => Stage::Failed,
            (None, false) => Stage::Complete,
        };
        self.enter(next, step);
    }
}
