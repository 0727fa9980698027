//! Orders: which one may follow where, what a repetition gets, what begins.

use super::{
    effect::{Effect, Work},
    input::Done,
    ledger::AttemptState,
    machine::Member,
    state::{Phase, Ready},
};
use crate::{
    epoch::Epoch,
    ids::Attempt,
    reason::{Reason, Refusal},
    time::Now,
    wire::{Answer, Clean, Cleaned, Completed, Order, Prepare, Renew, Renewed, Reserved, Settle, Settled},
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

    fn send_broken(&self, epoch: Epoch, effects: &mut Vec<Effect>) {
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

    fn prepare(&mut self, epoch: Epoch, prepare: Prepare, effects: &mut Vec<Effect>) {
        if self.epoch != Epoch::NONE || self.phase > Phase::Prepared {
            self.refuse_stale(epoch, effects);
            return;
        }
        let round = match (&self.current, &self.last) {
            (Some((_, Order::Prepare(begun))), _) => begun.round,
            (_, Some((_, Order::Prepare(answered), _))) => answered.round,
            _ => 0,
        };
        if prepare.round < round {
            // Late, or from a coordinator that restarted and counts anew: what was answered to the newer round tells it
            // so. A round under way will be answered.
            if let Some((last_epoch, _, answer)) = &self.last {
                self.send(*last_epoch, answer.clone(), effects);
            }
            return;
        }
        self.cancel_work(effects);
        self.phase = Phase::Preparing;
        self.ready = None;
        self.last = None;
        self.current = Some((epoch, Order::Prepare(prepare.clone())));
        self.begin(Work::Prepare(prepare), effects);
    }

    /// The first touch: the epoch is saved before it (I3), and the plane's own lease starts.
    fn reserve(&mut self, now: Now, epoch: Epoch, effects: &mut Vec<Effect>) {
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

    fn obey(&mut self, now: Now, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        let Some(limits) = self.ready.as_ref().map(|ready| ready.spec.limits.clone()) else { return };
        if let Some(number) = self.work.take() {
            effects.push(Effect::CancelWork { number });
        }
        self.last = None;
        self.current = Some((epoch, order.clone()));
        let gc_hold = self.gc_hold.unwrap_or_default();
        match order {
            Order::Settle(Settle::HoldPd) => {
                self.phase = Phase::HoldingPd;
                self.touched = true;
                self.begin(Work::HoldPd { service: self.service(), ttl: limits.safe_point_ttl() }, effects);
            }
            Order::Settle(Settle::Leaders { gc_hold }) => {
                self.phase = Phase::Asking;
                self.gc_hold = Some(gc_hold);
                self.begin(Work::Leaders { gc_hold }, effects);
            }
            Order::Suspend => {
                self.phase = Phase::Suspending;
                self.touched = true;
                self.begin(Work::OpenHolds { stores: self.stores() }, effects);
            }
            Order::Cover(cover) => {
                self.phase = Phase::Covering;
                self.cover_round = cover.round;
                let (round, name_missing) = (cover.round, cover.name_missing);
                self.begin(Work::Cover { round, name_missing, gc_hold }, effects);
            }
            Order::Snapshot(snapshot) => {
                self.phase = Phase::Snapshotting;
                self.commit_ts = Some(snapshot.commit_ts);
                self.begin(Work::Snapshot { commit_ts: snapshot.commit_ts }, effects);
            }
            Order::Confirm => self.begin_confirming(now, effects),
            _ => {}
        }
    }

    /// The plane's own lease from the coordinator: only a new number extends it, because a repeated one may be old.
    fn renew(&mut self, now: Now, epoch: Epoch, renew: &Renew, effects: &mut Vec<Effect>) {
        match self.phase {
            _ if self.restored => {
                self.refuse(epoch, Reason::PlaneRestarted, "the plane actor restarted within this attempt", effects);
                return;
            }
            Phase::Idle => {
                self.refuse(epoch, Reason::NotPrepared, "this plane has not prepared this attempt", effects);
                return;
            }
            // After a reconnect a renewal comes before the `Reserve` that it would extend.
            Phase::Preparing | Phase::Prepared => return,
            Phase::Broken => return self.send_broken(epoch, effects),
            _ => {}
        }
        if !self.is_ours(epoch, effects) {
            return;
        }
        if self.last_renew.is_none_or(|last| renew.number > last) {
            self.last_renew = Some(renew.number);
            let length = self.ready.as_ref().map(|ready| ready.spec.limits.plane_lease);
            if let (Some(_), Some(length)) = (self.lease, length) {
                self.lease = Some(now.at + length);
            }
        }
        self.send(epoch, Answer::Renewed(Renewed { number: renew.number }), effects);
    }

    pub(super) fn work_done(&mut self, now: Now, done: Done, effects: &mut Vec<Effect>) {
        let order = self.current.as_ref().map(|(_, order)| order.clone());
        match (order, done) {
            (Some(Order::Prepare(prepare)), Done::Prepared(prepared)) => {
                self.phase = Phase::Prepared;
                self.highest = self.highest.max(prepared.highest_epoch);
                self.ready = Some(Ready { spec: prepare.spec, prepared: prepared.clone() });
                self.answer(Answer::Prepared(prepared), effects);
            }
            (Some(Order::Reserve), Done::Reserved) => {
                self.phase = Phase::Reserved;
                self.answer(Answer::Reserved(Reserved {}), effects);
            }
            (Some(Order::Settle(Settle::HoldPd)), Done::PdHeld { gc_hold, schedulers }) => {
                self.phase = Phase::PdHeld;
                self.gc_hold = Some(gc_hold);
                self.arm_pd(now);
                self.answer(Answer::Settled(Settled::PdHeld { gc_hold, schedulers }), effects);
            }
            (Some(Order::Settle(Settle::Leaders { .. })), Done::Leaders { regions, least_safe_ts }) => {
                self.phase = Phase::Settled;
                self.answer(Answer::Settled(Settled::Leaders { regions, least_safe_ts }), effects);
            }
            (Some(Order::Suspend), Done::HoldsOpen) => {
                self.holds_open = true;
                self.suspended_if_all(effects);
            }
            (Some(Order::Cover(cover)), Done::Covered(covered)) if covered.round == cover.round => {
                self.phase = Phase::Covered;
                self.cover = Some(covered.digest.clone());
                self.answer(Answer::Covered(covered), effects);
            }
            (Some(Order::Snapshot(_)), Done::Snapshotted(snapshots)) => self.snapshotted(snapshots, effects),
            (Some(Order::Confirm), Done::ReadBack(seen)) => self.read_back(seen, effects),
            (Some(Order::Complete(_)), Done::Completed { full_bytes, notes }) => {
                self.answer(Answer::Completed(Completed { full_bytes, notes }), effects);
            }
            (Some(Order::Clean(_)), Done::Cleaned(report)) => {
                // What left something over is done again when it is asked for again.
                let keep = report.left.is_empty();
                self.answer(Answer::Cleaned(Cleaned { report }), effects);
                if !keep {
                    self.last = None;
                }
            }
            (_, done) => {
                self.alarm(format!("result of another kind of work: {}", kind(&done)), effects);
                self.work_failed(Refusal::new(Reason::Internal, "work ended with another's result"), effects);
            }
        }
    }

    /// Until the first touch a failure is an answer; from then on it breaks the epoch at once, so that nothing is held
    /// for an attempt that cannot end well. Completing and cleaning are begun anew when they are asked for again.
    pub(super) fn work_failed(&mut self, refusal: Refusal, effects: &mut Vec<Effect>) {
        if self.phase.is_live() {
            self.break_off(refusal, effects);
            return;
        }
        let preparing = matches!(self.current, Some((_, Order::Prepare(_))));
        if preparing {
            self.phase = Phase::Idle;
        }
        self.answer(Answer::Refused(refusal), effects);
        if !preparing {
            self.last = None;
        }
    }

    pub(super) fn service(&self) -> String {
        safe_point_service(&self.attempt, self.epoch)
    }

    fn stores(&self) -> std::collections::BTreeSet<crate::ids::StoreId> {
        self.ready.iter().flat_map(|ready| ready.prepared.stores.iter().map(|store| store.store)).collect()
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

fn kind(done: &Done) -> &'static str {
    match done {
        Done::Prepared(_) => "Prepared",
        Done::Reserved => "Reserved",
        Done::PdHeld { .. } => "PdHeld",
        Done::PdRenewed => "PdRenewed",
        Done::Leaders { .. } => "Leaders",
        Done::HoldsOpen => "HoldsOpen",
        Done::Covered(_) => "Covered",
        Done::Snapshotted(_) => "Snapshotted",
        Done::ReadBack(_) => "ReadBack",
        Done::Completed { .. } => "Completed",
        Done::Cleaned(_) => "Cleaned",
    }
}

/// Service id of an attempt's safe point: the epoch in it keeps attempts apart.
pub(super) fn safe_point_service(attempt: &Attempt, epoch: Epoch) -> String {
    format!("isochron-{}-{epoch}", attempt.backup)
}
