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
//! | how much was added | `measure` | it is counted, or is not to be known |
//! | after a restart of the coordinator | `recover` | at once |
//! | the bad end | `abort` | nothing is held |
//! | delete what is left | `clean` | nothing is left over, or what is left is named |
//!
//! `stop` says what else ends an attempt: a process that has to go, an attempt that came after.

mod abort;
mod clean;
mod complete;
mod confirm;
mod cover;
mod measure;
mod prepare;
mod recover;
mod release;
mod reserve;
mod settle;
mod snapshot;
mod stop;
mod suspend;

use crate::{
    member::{effect::Step, input::Done, machine::Member, phase::Phase},
    reason::{Reason, Refusal},
    wire::{Answer, Order, Settle, Snapshotted},
};

impl Member {
    pub(in crate::member) fn work_done(&mut self, done: Done, step: &mut Step) {
        let order = self.current.as_ref().map(|(_, order)| order.clone());
        match (order, done) {
            (Some(Order::Prepare(prepare)), Done::Prepared(prepared)) => self.prepared(prepare.spec, prepared, step),
            (Some(Order::Reserve), Done::Reserved) => self.reserved(step),
            (Some(Order::Settle(Settle::HoldPd)), Done::PdHeld { gc_hold, schedulers }) => {
                self.pd_held(gc_hold, schedulers, step);
            }
            (Some(Order::Settle(Settle::Leaders { .. })), Done::Leaders { regions, least_safe_ts }) => {
                self.leaders_asked(regions, least_safe_ts, step);
            }
            (Some(Order::Suspend), Done::HoldsOpen) => self.holds_opened(step),
            (Some(Order::Cover(cover)), Done::Covered(covered)) if covered.round == cover.round => {
                self.covered(covered, step);
            }
            (Some(Order::Snapshot(_)), Done::Snapshotted { snapshots, accepted, calls }) => {
                self.calls.answered(calls);
                self.snapshotted(Snapshotted { snapshots, accepted }, step);
            }
            (Some(Order::Confirm), Done::ReadBack(seen)) => self.read_back(seen, step),
            (Some(Order::Complete(_)), Done::Completed(completed)) => self.completed(completed, step),
            (Some(Order::Measure(order)), Done::Measured(measured)) if measured.from == order.from => {
                self.answer(Answer::Measured(measured), step);
            }
            (Some(Order::Clean(_)), Done::Cleaned(report)) => self.cleaned(report, step),
            // Another order's, or none's. Every result has its arm above, and its name in `kind`.
            (_, done) => {
                self.alarm(format!("result of another kind of work: {}", kind(&done)), step);
                self.work_failed(Refusal::new(Reason::Internal, "work ended with another's result"), step);
            }
        }
    }

    /// Until the first touch a failure is an answer; from then on it breaks the epoch at once, so that nothing is held
    /// for an attempt that cannot end well. Completing and cleaning are begun anew when they are asked for again.
    pub(in crate::member) fn work_failed(&mut self, refusal: Refusal, step: &mut Step) {
        if self.phase.is_live() {
            self.abort_locally(refusal, step);
            return;
        }
        let preparing = matches!(self.current, Some((_, Order::Prepare(_))));
        if preparing {
            self.phase = Phase::Idle;
        }
        self.answer(Answer::Refused(refusal), step);
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
        Done::Snapshotted { .. } => "Snapshotted",
        Done::ReadBack(_) => "ReadBack",
        Done::Completed(_) => "Completed",
        Done::Measured(_) => "Measured",
        Done::Cleaned(_) => "Cleaned",
    }
}
