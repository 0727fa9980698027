//! Who may end an attempt from outside: a person, a lost object, a ledger that refuses, a process that has to go.

use crate::{
    barrier::{input::Step, machine::Barrier, moments::Moments, record::Milestone},
    reason::{Reason, Refusal, cut},
};

/// The same where a save was refused that the ledger will never take.
const UNSAVED_MAX: usize = 512;

impl Barrier {
    pub(in crate::barrier) fn cancel(&mut self, step: &mut Step) {
        self.end_by_wish(Refusal::new(Reason::Cancelled, "cancelled by a person"), step);
    }

    /// What is certified, or ends badly already, is let go anyway.
    pub(in crate::barrier) fn cut_short(&mut self, step: &mut Step) {
        if self.holds() {
            let text = "the coordinator had to end before the barrier did";
            self.fail(Refusal::new(Reason::CoordinatorRestarted, text), step);
        }
    }

    /// The attempt cannot go on. What says so is smaller than what was saved: letting go and cleaning need no stores. A
    /// certificate that is saved stays: what is left to do is tried again, with the record as it is.
    pub(in crate::barrier) fn unsaved(&mut self, refusal: Refusal, step: &mut Step) {
        if self.record.milestone != Milestone::Certified {
            self.make_room();
            self.end_by_wish(Refusal::new(refusal.reason, cut(refusal.message, UNSAVED_MAX)), step);
        }
    }

    /// Letting go and cleaning need no stores and no moments, and they are most of a record. Nor do moments grow again.
    pub(super) fn make_room(&mut self) {
        (self.record.moments, self.attempt_from) = (Moments::default(), None);
        self.record.cluster_stores.clear();
        self.record.planes.values_mut().for_each(|kept| kept.stores.clear());
    }

    pub(in crate::barrier) fn end_by_wish(&mut self, refusal: Refusal, step: &mut Step) {
        if self.phase.runs() {
            self.fail(refusal, step);
        }
    }

    /// Nobody's deletion, so nothing that is kept may go. Before commitTs is saved there is nothing to keep, and nobody
    /// left who wants it; later it goes on to its end, and its record is kept for whoever asks.
    pub(in crate::barrier) fn object_lost(&mut self, step: &mut Step) {
        if !self.record.deleting && matches!(self.record.milestone, Milestone::Preparing | Milestone::Barrier) {
            let text = "the VolumeBackup vanished before commitTs was fixed, and nobody had deleted it";
            self.end_by_wish(Refusal::new(Reason::ObjectLost, text), step);
        }
    }
}
