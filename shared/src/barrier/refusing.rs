//! What planes refuse. Until something is certified a refusal ends the attempt; after that nothing ends but by success, by
//! a person's wish or by a snapshot in error, so the order is repeated, ever more seldom, and the cause stays in view.

use super::{
    input::{Step, Timer},
    machine::Barrier,
    phase::{LastRefusal, Phase},
};
use crate::{
    backoff::{Backoff, seed},
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::{Instant, Millis, Now},
};

/// Between two tries of an order that was refused. It starts anew with the plane's next session, and when a person says so
/// ([`Input::TryAgain`](super::input::Input::TryAgain)).
pub(super) const AGAIN: Backoff = Backoff { first: Millis::secs(15), cap: Millis::secs(600) };

impl Barrier {
    pub(super) fn refused(&mut self, plane: &PlaneId, refusal: Refusal, step: &mut Step) {
        self.refused_for(plane, refusal, AGAIN, step);
    }

    /// `pause`: between two tries of it, where it is repeated at all.
    pub(super) fn refused_for(&mut self, plane: &PlaneId, refusal: Refusal, pause: Backoff, step: &mut Step) {
        if !self.has_part(plane) {
            return;
        }
        if refusal.reason == Reason::BackupProven && self.proven(plane, &refusal, step) {
            return;
        }
        let named = |refusal: Refusal| Refusal::new(refusal.reason, format!("plane {plane}: {}", refusal.message));
        match self.phase {
            Phase::Completing if refusal.reason == Reason::SnapshotFailed => self.fail(named(refusal), step),
            Phase::Completing
            | Phase::Failed
            | Phase::Cleaning
            | Phase::Releasing
            | Phase::Aborting
            | Phase::Recovering => {
                self.keep_refusal(step.now, plane, refusal, pause);
                if self.cleans() {
                    self.record.times.clean_failed.get_or_insert(step.now.wall);
                    self.tell_clean_failure();
                }
            }
            Phase::Preparing
            | Phase::Reserving
            | Phase::Settling
            | Phase::Suspending
            | Phase::Covering
            | Phase::Snapshotting
            | Phase::Confirming => self.fail(named(refusal), step),
            Phase::Complete => self.measure_refused(plane, &refusal, step),
            Phase::Claiming | Phase::Cleaned => {}
        }
    }

    fn keep_refusal(&mut self, now: Now, plane: &PlaneId, refusal: Refusal, pause: Backoff) {
        let spread = seed(self.record.request.backup.as_str()) ^ seed(plane.as_str());
        let Some(live) = self.planes.get_mut(plane) else { return };
        let before = live.refused.take();
        let since = before.as_ref().filter(|last| last.refusal.reason == refusal.reason).map(|last| last.since);
        let tries = (before.map_or(0, |last| last.tries) + 1).min(LastRefusal::MAX_TRIES);
        let again = Some(now.at + pause.wait(tries, spread));
        live.refused = Some(LastRefusal { refusal, since: since.unwrap_or(now.wall), tries, again });
        // What it was doing, it does no more.
        live.progress = None;
        self.arm_again();
    }

    /// One timer for all planes: the earliest of their next tries.
    pub(super) fn arm_again(&mut self) {
        let next = self.planes.values().filter_map(|live| live.refused.as_ref()?.again).min();
        match next {
            Some(at) => self.set(Timer::Again, at),
            None => self.stop(&[Timer::Again]),
        }
    }

    /// A person's word: whatever was refused may have been mended, so nothing of it counts any more but since when it lasts.
    pub(super) fn try_again_now(&mut self, step: &mut Step) {
        let mut refused = false;
        for last in self.planes.values_mut().filter_map(|live| live.refused.as_mut()) {
            (last.tries, last.again, refused) = (0, None, true);
        }
        if refused {
            self.send_all(step);
            self.arm_again();
        }
    }

    /// Repeats the order to every plane that owes an answer, but to those whose next try is later than `due`.
    pub(super) fn try_again(&mut self, due: Instant, step: &mut Step) {
        for last in self.planes.values_mut().filter_map(|live| live.refused.as_mut()) {
            last.again.take_if(|at| *at <= due);
        }
        self.send_all(step);
        self.arm_again();
    }
}
