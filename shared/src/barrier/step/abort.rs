//! The bad end: everything is let go before anything else.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
        record::Milestone,
    },
    epoch::Epoch,
    ids::PlaneId,
    reason::{Reason, Refusal, cut},
    time::Now,
    wire::{Abort, CleanReport, Order},
};

/// Longest text of a failure in the record: it must fit where a certificate did not. Peers' texts are cut before.
pub(super) const FAILURE_MAX: usize = 8 * 1024;

impl Barrier {
    /// Ends the attempt badly. Nothing has to be let go while preparing; later everything is, before anything else.
    pub(in crate::barrier) fn fail(&mut self, refusal: Refusal, step: &mut Step) {
        self.measure(step.now);
        self.record.failure = Some(Refusal::new(refusal.reason, cut(refusal.message, FAILURE_MAX)));
        self.record.certificate = None;
        self.timers.stop_all();
        for live in self.planes.values_mut() {
            live.away_since = None;
        }
        if self.record.epoch == Epoch::NONE {
            self.record.milestone = Milestone::Failed;
            self.record.times.completed = Some(step.now.wall);
            for kept in self.record.planes.values_mut() {
                kept.cleaned = Some(CleanReport::default());
            }
            self.save(step);
            if self.phase == Phase::Claiming {
                self.end_claim(step);
            }
            self.begin_failed(step);
            return;
        }
        self.record.milestone = Milestone::Aborting;
        for kept in self.record.planes.values_mut() {
            kept.aborted = false;
            kept.cleaned = None;
        }
        self.save(step);
        self.begin_aborting(step);
    }

    /// How long the part that did not end well had lasted: what failed by its clock is what people look for.
    fn measure(&mut self, now: Now) {
        let part = match self.phase {
            Phase::Settling => &mut self.record.barrier.settle,
            Phase::Suspending | Phase::Covering => &mut self.record.barrier.reach,
            Phase::Snapshotting | Phase::Confirming => &mut self.record.barrier.hold,
            Phase::Preparing
            | Phase::Claiming
            | Phase::Reserving
            | Phase::Releasing
            | Phase::Recovering
            | Phase::Completing
            | Phase::Complete
            | Phase::Aborting
            | Phase::Failed
            | Phase::Cleaning
            | Phase::Cleaned => return,
        };
        *part = self.clock_from.map(|from| now.at.since(from));
    }

    pub(in crate::barrier) fn begin_aborting(&mut self, step: &mut Step) {
        self.set(Timer::HoldsGone, step.now.at + self.holds_end());
        self.enter(Phase::Aborting, step);
    }

    pub(in crate::barrier) fn abort_order(&self) -> Option<Order> {
        let reason = self.record.failure.as_ref().map_or(Reason::Internal, |refusal| refusal.reason);
        Some(Order::Abort(Abort { reason }))
    }

    pub(in crate::barrier) fn aborted(&mut self, plane: &PlaneId, cause: Option<Refusal>, step: &mut Step) {
        if self.holds() {
            let refusal = cause.unwrap_or_else(|| Refusal::new(Reason::PlaneLost, "the plane let go"));
            let refusal = Refusal::new(refusal.reason, format!("plane {plane}: {}", refusal.message));
            self.fail(refusal, step);
            return;
        }
        if self.phase == Phase::Completing {
            // Of what is certified a plane says so only where it has obeyed the bad end, which is saved before it is sent.
            let text =
                format!("plane {plane} has obeyed the end of this attempt, and the record is from before that end");
            self.fail(Refusal::new(Reason::RecordOutdated, text), step);
            return;
        }
        if self.accept_answer(plane, Phase::Aborting, step) {
            if let Some(kept) = self.record.planes.get_mut(plane) {
                kept.aborted = true;
            }
            if self.all_answered() {
                self.end_aborting(step);
            }
        }
    }

    /// Everything is let go, or has ended by itself. What the attempt left is cleaned from here on, also after the
    /// outcome is told: a plane that is away cleans when it comes back.
    pub(in crate::barrier) fn end_aborting(&mut self, step: &mut Step) {
        self.stop(&[Timer::HoldsGone]);
        self.record.milestone = Milestone::Failed;
        self.record.times.completed = Some(step.now.wall);
        self.save(step);
        self.end_claim(step);
        self.begin_failed(step);
    }
}
