//! Lock object and clustermeta in S3: the first touch.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        ledger::AttemptState,
        machine::Member,
        phase::Phase,
    },
    reason::Reason,
    wire::{Answer, Order, Reserved},
};
use std::cmp::Ordering;

impl Member {
    /// The first touch: the epoch is saved before it (I3), and the plane's own lease starts.
    pub(in crate::member) fn reserve(&mut self, epoch: Epoch, step: &mut Step) {
        if !self.is_open(epoch, step) {
            return;
        }
        match self.phase.cmp(&Phase::Prepared) {
            Ordering::Less => {
                self.refuse(epoch, Reason::NotPrepared, "this plane has not prepared this attempt", step);
            }
            Ordering::Equal if epoch == Epoch::NONE || epoch <= self.highest => self.refuse_stale(epoch, step),
            Ordering::Equal => {
                self.epoch = epoch;
                self.highest = epoch;
                self.phase = Phase::Reserving;
                self.lease.begin(step.now.at + self.limits().plane_lease);
                self.take(epoch, Order::Reserve, step);
                self.save(AttemptState::Live, step);
                self.calls.attempt_reserved();
                self.begin(Work::Reserve, step);
            }
            Ordering::Greater => {
                self.is_ours(epoch, step);
            }
        }
    }

    pub(super) fn reserved(&mut self, step: &mut Step) {
        self.phase = Phase::Reserved;
        self.answer(Answer::Reserved(Reserved {}), step);
    }
}
