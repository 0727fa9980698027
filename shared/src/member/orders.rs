//! Orders: which one may follow where, and what a repetition gets. What it begins is in the file of its step, `step/`.

use super::{effect::Step, machine::Member, phase::Phase};
use crate::{
    epoch::Epoch,
    reason::Reason,
    wire::{Clean, Order},
};
use std::cmp::Ordering;

impl Member {
    pub(super) fn order(&mut self, epoch: Epoch, order: Order, step: &mut Step) {
        if self.current.as_ref().is_some_and(|(e, begun)| *e == epoch && does(begun, &order)) {
            return;
        }
        if let Some((last_epoch, last, answer)) = &self.last
            && *last_epoch == epoch
            && is_done_with(last, &order)
        {
            self.send(epoch, answer.clone(), step);
            return;
        }
        match order {
            Order::Prepare(prepare) => self.prepare(epoch, prepare, step),
            Order::Reserve => self.reserve(epoch, step),
            Order::Settle(settle) => self.settle(epoch, settle, step),
            Order::Suspend => self.suspend(epoch, step),
            Order::Cover(cover) => self.cover(epoch, cover, step),
            Order::Snapshot(snapshot) => self.snapshot(epoch, snapshot, step),
            Order::Confirm => self.confirm(epoch, step),
            Order::Release => self.release(epoch, step),
            Order::Complete(complete) => self.complete(epoch, complete, step),
            Order::Measure(measure) => self.measure(epoch, measure, step),
            Order::Recover => self.recover(epoch, step),
            Order::Abort(_) => self.abort(epoch, step),
            Order::Clean(clean) => self.clean(epoch, clean, step),
            Order::Renew(renew) => self.renew(epoch, &renew, step),
        }
    }

    /// What may not come to be confirmed any more takes no order on the way there.
    pub(super) fn is_open(&self, epoch: Epoch, step: &mut Step) -> bool {
        if self.restored {
            self.refuse(epoch, Reason::PlaneRestarted, "the plane actor restarted within this attempt", step);
            return false;
        }
        if self.phase == Phase::Broken {
            self.send_broken(epoch, step);
            return false;
        }
        true
    }

    pub(super) fn send_broken(&self, epoch: Epoch, step: &mut Step) {
        if epoch < self.epoch {
            self.refuse_stale(epoch, step);
        } else {
            self.send(epoch, self.aborted(), step);
        }
    }

    pub(super) fn refuse_stale(&self, epoch: Epoch, step: &mut Step) {
        let text = format!("epoch {epoch} is below {}, which this plane has obeyed", self.highest.max(self.epoch));
        self.refuse(epoch, Reason::EpochStale, text, step);
    }

    /// Epochs of `Settle` to `Release` and `Renew`: exactly the one that was reserved, and none above it obeyed since.
    pub(super) fn is_ours(&self, epoch: Epoch, step: &mut Step) -> bool {
        if epoch < self.epoch || epoch < self.highest {
            self.refuse_stale(epoch, step);
            return false;
        }
        if epoch > self.epoch {
            let text = format!("nothing was reserved under epoch {epoch}");
            self.refuse(epoch, Reason::NotPrepared, text, step);
            return false;
        }
        true
    }

    /// Takes an order that follows on `after`, or says why not. A late repetition is passed over: what came after it was
    /// answered since.
    pub(super) fn takes(&mut self, after: Phase, epoch: Epoch, order: Order, step: &mut Step) -> bool {
        if !self.is_open(epoch, step) || !self.is_ours(epoch, step) {
            return false;
        }
        match self.phase.cmp(&after) {
            Ordering::Less => self.refuse_early(epoch, &order, step),
            Ordering::Equal => self.take(epoch, order, step),
            Ordering::Greater => {}
        }
        self.phase == after
    }

    pub(super) fn refuse_early(&self, epoch: Epoch, order: &Order, step: &mut Step) {
        let reason = if self.phase < Phase::Reserving { Reason::NotPrepared } else { Reason::Internal };
        let text = format!("{} does not follow {:?}", order.name(), self.phase);
        self.refuse(epoch, reason, text, step);
    }

    /// From here on this is the order in hand.
    pub(super) fn take(&mut self, epoch: Epoch, order: Order, step: &mut Step) {
        if let Some(number) = self.work.take() {
            self.cancel(number, step);
        }
        self.last = None;
        self.current = Some((epoch, order));
    }
}

/// Does what is under way do all that is ordered now? One that may delete what S3 proves does what one that may not does,
/// and one that asks EC2 afresh what one that does not asks.
fn does(begun: &Order, order: &Order) -> bool {
    match (begun, order) {
        (Order::Clean(begun), Order::Clean(clean)) => {
            begun.taken_back >= clean.taken_back && begun.afresh >= clean.afresh && is_same(begun, clean)
        }
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

/// How fast it goes does not matter.
fn is_same(one: &Clean, other: &Clean) -> bool {
    *one == Clean { taken_back: one.taken_back, afresh: one.afresh, share: one.share, ..other.clone() }
}
