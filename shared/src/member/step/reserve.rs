//! Lock object and clustermeta in S3: the first touch.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Effect, Work},
        input::Timer,
        ledger::AttemptState,
        machine::Member,
        phase::Phase,
    },
    reason::Reason,
    time::Now,
    wire::{Answer, Order, Reserved},
};
use std::cmp::Ordering;

impl Member {
    /// The first touch: the epoch is saved before it (I3), and the plane's own lease starts.
    pub(in crate::member) fn reserve(&mut self, now: Now, epoch: Epoch, effects: &mut Vec<Effect>) {
        if !self.is_open(epoch, effects) {
            return;
        }
        match self.phase.cmp(&Phase::Prepared) {
            Ordering::Less => {
                self.refuse(epoch, Reason::NotPrepared, "this plane has not prepared this attempt", effects);
            }
            Ordering::Equal if epoch == Epoch::NONE || epoch <= self.highest => self.refuse_stale(epoch, effects),
            Ordering::Equal => {
                self.epoch = epoch;
                self.highest = epoch;
                self.phase = Phase::Reserving;
                if let Some(ready) = &self.ready {
                    self.timers.set(Timer::PlaneLease, now.at + ready.spec.limits.plane_lease);
                }
                self.take(epoch, Order::Reserve, effects);
                self.save(AttemptState::Live, effects);
                self.begin(Work::Reserve, effects);
            }
            Ordering::Greater => {
                self.is_ours(epoch, effects);
            }
        }
    }

    pub(super) fn reserved(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Reserved;
        self.answer(Answer::Reserved(Reserved {}), effects);
    }
}
