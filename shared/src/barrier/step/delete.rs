//! Deletion of the object, by its `cleanPolicy`.

use crate::{
    barrier::{
        input::{Effect, Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    reason::{Reason, Refusal},
    request::CleanPolicy,
};

impl Barrier {
    /// Deletion works in any step; a running backup is ended first. An incomplete backup keeps nothing, whatever the
    /// policy says: without metadata its snapshots are worthless.
    pub(in crate::barrier) fn delete(&mut self, policy: CleanPolicy, step: &mut Step) {
        if self.record.deleting {
            return;
        }
        self.record.deleting = true;
        self.record.request.clean_policy = self.record.request.clean_policy.safer(policy);
        self.record.times.deleted = Some(step.now.wall);
        self.timers.stop(Timer::Retry);
        if self.phase.runs() {
            self.fail(Refusal::new(Reason::Deleted, "the VolumeBackup was deleted while it ran"), step);
        } else if self.phase == Phase::Complete {
            self.clean_by_policy(step);
        } else if self.phase == Phase::Failed {
            let proven = self.record.planes.values_mut().filter(|kept| kept.proven);
            if self.record.request.clean_policy == CleanPolicy::Delete {
                proven.for_each(|kept| kept.cleaned = None);
            }
            self.save(step);
            self.begin_failed(step);
        } else if self.phase == Phase::Aborting {
            self.save(step);
        }
    }

    fn clean_by_policy(&mut self, step: &mut Step) {
        if self.record.request.clean_policy == CleanPolicy::Delete {
            self.record.milestone = Milestone::Cleaning;
            for kept in self.record.planes.values_mut() {
                kept.cleaned = None;
            }
            self.save(step);
            self.begin_cleaning(step);
        } else {
            self.gone(step);
        }
    }

    pub(in crate::barrier) fn gone(&mut self, step: &mut Step) {
        self.record.milestone = Milestone::Cleaned;
        self.record.times.cleaned = Some(step.now.wall);
        self.record.clean_failure = None;
        self.stand_at(Phase::Cleaned, step);
        self.timers.stop_all();
        self.save(step);
        step.push(Effect::Gone);
    }
}
