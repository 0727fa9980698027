//! One file per step of the protocol, as the coordinator's half has them and the plane actor's work: what an order
//! begins, and what is answered.
//!
//! | Step | File | Answered when |
//! |---|---|---|
//! | look at what is there | `prepare` | everything was found and in order |
//! | lock objects in S3 | `reserve` | the epoch is saved, then they are written |
//! | PD held, leaders asked | `settle` | the safe point stands; every leader's safe_ts is above it |
//! | stores held by leases | `suspend` | every store is held |
//! | regions proved | `cover` | a round is done |
//! | CreateSnapshots | `snapshot` | every call was accepted |
//! | last renewals, evidence | `confirm` | evidence is saved |
//! | let go, the good end | `release` | nothing is held |
//! | to S3 | `complete` | metadata is written |
//! | after a restart of the coordinator | `recover` | at once |
//! | the bad end | `abort` | nothing is held |
//! | delete what is left | `clean` | nothing is left over, or what is left is named |
//!
//! `stop` says what else ends an attempt: a process that has to go, an attempt that came after.

mod abort;
mod complete;
mod confirm;
mod prepare;
mod recover;
mod release;
mod reserve;
mod settle;
mod snapshot;
mod stop;
mod suspend;

use crate::{
    epoch::Epoch,
    member::{
        effect::{Effect, Work},
        input::Done,
        machine::{Member, Ready},
        phase::Phase,
    },
    reason::{Reason, Refusal},
    time::Now,
    wire::{Answer, Cleaned, Completed, Order, Reserved, Settle, Settled},
};

impl Member {
    pub(in crate::member) fn obey(&mut self, now: Now, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
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

    pub(in crate::member) fn work_done(&mut self, now: Now, done: Done, effects: &mut Vec<Effect>) {
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
    pub(in crate::member) fn work_failed(&mut self, refusal: Refusal, effects: &mut Vec<Effect>) {
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
