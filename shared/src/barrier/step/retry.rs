//! New attempts, where the user allowed them (`retryWithin`).

use crate::{
    backoff::{Backoff, seed},
    barrier::{
        input::{Step, Timer},
        machine::{Barrier, PlaneState},
        phase::Phase,
        record::{PlaneRecord, Record},
    },
    reason::Reason,
    time::{Millis, Now},
};

/// Before a new attempt at least: 15 s between two snapshots of one volume (`facts/aws.md` A3), the longest own lease
/// (15 s) plus 1 s, whichever is later; all of it runs from the end of the clean.
const RETRY_AFTER: Millis = Millis::secs(16);

/// Growth from there: what has not passed within seconds passes within minutes, if at all.
const RETRY: Backoff = Backoff { first: Millis(2 * RETRY_AFTER.0), cap: Millis::secs(300) };

impl Barrier {
    /// How long until the next attempt: only when the user allowed it, and for a reason that may pass. The last one
    /// begins when the user's time is over, however long the pause before it would be.
    pub(in crate::barrier) fn retry_in(&self, now: Now) -> Option<Millis> {
        let within = self.record.request.retry_within?;
        let started = self.record.times.started?;
        let failure = self.record.failure.as_ref()?;
        let left = Millis(within.0.saturating_sub(now.wall.since(started).0));
        let wait = RETRY.wait(self.record.attempt, seed(self.record.request.backup.as_str())).max(RETRY_AFTER);
        let may = self.phase == Phase::Failed && failure.reason.is_passing() && left > RETRY_AFTER;
        may.then(|| wait.min(left))
    }

    /// The last attempt failed because planes were missing, and now all are here: nothing else has to be waited for.
    pub(in crate::barrier) fn is_missed_no_more(&self) -> bool {
        self.phase == Phase::Failed
            && self.timers.runs(Timer::Retry)
            && self.record.failure.as_ref().is_some_and(|refusal| refusal.reason == Reason::PlaneNotConnected)
            && self.all_connected()
    }

    pub(in crate::barrier) fn new_attempt(&mut self, step: &mut Step) {
        if self.phase != Phase::Failed || self.record.deleting || !self.all_cleaned() {
            return;
        }
        let Some(attempt) = self.record.attempt.checked_add(1) else { return };
        let request = self.record.request.clone();
        let started = self.record.times.started.unwrap_or(step.now.wall);
        let abandoned: Vec<_> =
            self.record.planes.iter().filter(|(_, kept)| kept.abandoned).map(|(plane, _)| plane.clone()).collect();
        let adopted = self.record.adopted.take();
        self.record = Record { attempt, adopted, ..Record::new(request, started) };
        for plane in abandoned {
            self.record.planes.insert(plane, PlaneRecord { abandoned: true, ..PlaneRecord::default() });
        }
        for live in self.planes.values_mut() {
            *live = PlaneState { connected: live.connected, ..PlaneState::default() };
        }
        self.stop(&[Timer::Retry]);
        (self.round, self.cover_round, self.gc_hold, self.renewals) = (1, 0, None, 0);
        self.save(step);
        self.begin_preparing(step);
    }
}
