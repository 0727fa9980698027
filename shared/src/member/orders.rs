//! Orders: which one may follow where, and what a repetition gets. What it begins is in the file of its step, `step/`.

use super::{effect::Effect, machine::Member, phase::Phase};
use crate::{
    epoch::Epoch,
    reason::Reason,
    time::Now,
    wire::{Clean, Order, Settle},
};

/// Where an order stands against what has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is the next one.
    Now,
    /// A late repetition of one that was answered before the last.
    Past,
    /// Something has to come before it.
    Early,
}

impl Member {
    pub(super) fn order(&mut self, now: Now, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        if self.current.as_ref().is_some_and(|(e, begun)| *e == epoch && does(begun, &order)) {
            return;
        }
        if let Some((last_epoch, last, answer)) = &self.last
            && *last_epoch == epoch
            && is_done_with(last, &order)
        {
            self.send(epoch, answer.clone(), effects);
            return;
        }
        match order {
            Order::Abort(_) => self.abort(epoch, effects),
            Order::Renew(renew) => self.renew(now, epoch, &renew, effects),
            Order::Recover => self.recover(epoch, effects),
            Order::Release => self.release(epoch, effects),
            Order::Complete(_) | Order::Clean(_) => self.afterwards(epoch, order, effects),
            _ if self.restored => {
                self.refuse(epoch, Reason::PlaneRestarted, "the plane actor restarted within this attempt", effects);
            }
            _ if self.phase == Phase::Broken => self.send_broken(epoch, effects),
            Order::Prepare(prepare) => self.prepare(epoch, prepare, effects),
            Order::Reserve => self.reserve(now, epoch, effects),
            order => self.barrier_order(now, epoch, order, effects),
        }
    }

    pub(super) fn send_broken(&self, epoch: Epoch, effects: &mut Vec<Effect>) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, effects);
        } else {
            self.send(epoch, self.aborted(), effects);
        }
    }

    pub(super) fn refuse_stale(&self, epoch: Epoch, effects: &mut Vec<Effect>) {
        let text = format!("epoch {epoch} is below {}, which this plane has obeyed", self.highest.max(self.epoch));
        self.refuse(epoch, Reason::EpochStale, text, effects);
    }

    /// Epochs of `Settle` to `Release` and `Renew`: exactly the one that was reserved, and none above it obeyed since.
    pub(super) fn is_ours(&self, epoch: Epoch, effects: &mut Vec<Effect>) -> bool {
        if epoch < self.epoch || epoch < self.highest {
            self.refuse_stale(epoch, effects);
            return false;
        }
        if epoch > self.epoch {
            let text = format!("nothing was reserved under epoch {epoch}");
            self.refuse(epoch, Reason::NotPrepared, text, effects);
            return false;
        }
        true
    }

    fn barrier_order(&mut self, now: Now, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        if !self.is_ours(epoch, effects) {
            return;
        }
        match self.turn(&order) {
            Turn::Past => {}
            Turn::Early => {
                let reason = if self.phase < Phase::Reserving { Reason::NotPrepared } else { Reason::Internal };
                let text = format!("{} does not follow {:?}", order.name(), self.phase);
                self.refuse(epoch, reason, text, effects);
            }
            Turn::Now => self.obey(now, epoch, order, effects),
        }
    }

    fn turn(&self, order: &Order) -> Turn {
        let init = self.ready.as_ref().is_some_and(|ready| ready.spec.init);
        let after = match order {
            Order::Settle(Settle::HoldPd) if init => Phase::Reserved,
            Order::Settle(Settle::HoldPd) => return Turn::Early,
            Order::Settle(Settle::Leaders { .. }) if init => Phase::PdHeld,
            Order::Settle(Settle::Leaders { .. }) => Phase::Reserved,
            Order::Suspend => Phase::Settled,
            Order::Cover(cover) if matches!(self.phase, Phase::Covering | Phase::Covered) => {
                return if cover.round > self.cover_round { Turn::Now } else { Turn::Past };
            }
            Order::Cover(_) => Phase::Suspended,
            Order::Snapshot(_) => Phase::Covered,
            Order::Confirm => Phase::Snapshotted,
            _ => return Turn::Early,
        };
        match self.phase.cmp(&after) {
            std::cmp::Ordering::Less => Turn::Early,
            std::cmp::Ordering::Equal => Turn::Now,
            std::cmp::Ordering::Greater => Turn::Past,
        }
    }
}

/// Does what is under way do all that is ordered now? One that may delete what S3 proves does what one that may not does.
fn does(begun: &Order, order: &Order) -> bool {
    match (begun, order) {
        (Order::Clean(begun), Order::Clean(clean)) => begun.taken_back >= clean.taken_back && is_same(begun, clean),
        _ => begun == order,
    }
}

/// Is there nothing left of what is ordered now? What has been cleaned is gone, whatever may have been deleted.
fn is_done_with(last: &Order, order: &Order) -> bool {
    match (last, order) {
        (Order::Clean(last), Order::Clean(clean)) => is_same(last, clean),
        _ => last == order,
    }
}

fn is_same(one: &Clean, other: &Clean) -> bool {
    *one == Clean { taken_back: one.taken_back, ..other.clone() }
}
