//! Lock object and clustermeta in S3: the first touch.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Effect, Work},
        ledger::AttemptState,
        machine::Member,
        phase::Phase,
    },
    reason::Reason,
    time::Now,
    wire::Order,
};

impl Member {
    /// The first touch: the epoch is saved before it (I3), and the plane's own lease starts.
    pub(in crate::member) fn reserve(&mut self, now: Now, epoch: Epoch, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Idle | Phase::Preparing => {
                self.refuse(epoch, Reason::NotPrepared, "this plane has not prepared this attempt", effects);
            }
            Phase::Prepared if epoch == Epoch::NONE || epoch <= self.highest => self.refuse_stale(epoch, effects),
            Phase::Prepared => {
                self.epoch = epoch;
                self.highest = epoch;
                self.phase = Phase::Reserving;
                self.lease = self.ready.as_ref().map(|ready| now.at + ready.spec.limits.plane_lease);
                self.last = None;
                self.current = Some((epoch, Order::Reserve));
                self.save(AttemptState::Live, effects);
                self.begin(Work::Reserve, effects);
            }
            _ => {
                self.is_ours(epoch, effects);
            }
        }
    }
}
