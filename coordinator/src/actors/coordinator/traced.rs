//! When an attempt is over, its trace is handed on: all of it at once, so that nothing of it is sent while it holds anything.

use crate::ports::EndedAttempt;
use shared::{
    barrier::{Milestone, Phase, View},
    ids::BackupUid,
    time::{Millis, Timestamp},
};
use std::{collections::BTreeMap, sync::Arc};

/// When attempts that are under way began to prepare, by the wall clock: their moments know only what came after that.
#[derive(Default)]
pub(super) struct Traced(BTreeMap<BackupUid, Timestamp>);

impl Traced {
    /// A barrier shows itself: which attempt, if any, is over by that.
    pub(super) fn viewed(
        &mut self,
        before: Option<&Arc<View>>,
        view: &Arc<View>,
        now: Timestamp,
    ) -> Option<EndedAttempt> {
        let uid = view.record.key();
        let another = before.filter(|before| before.record.attempt != view.record.attempt);
        let over = match (before, another) {
            // The next attempt of a backup is how one that failed ends.
            (_, Some(last)) if !is_over(last) => Some(last),
            (Some(last), None) if !is_over(last) && is_over(view) => Some(view),
            _ => None,
        };
        let over = over.map(|over| EndedAttempt { view: over.clone(), began: self.began(over, now), ended: now });
        if is_over(view) {
            self.0.remove(uid);
        } else if begins(view) && (another.is_some() || before.is_none_or(|before| !begins(before))) {
            self.0.insert(uid.clone(), now);
        }
        over
    }

    /// Its barrier is gone.
    pub(super) fn forget(&mut self, uid: &BackupUid) {
        self.0.remove(uid);
    }

    /// Who was restarted meanwhile has not seen it: then by what the record says of the wall clock.
    fn began(&self, view: &View, now: Timestamp) -> Timestamp {
        let record = &view.record;
        let steps = record.moments.steps();
        let of_step = |phase| steps.iter().find(|moments| moments.step == phase).map(|moments| moments.began);
        let last = steps.last().filter(|last| last.step == view.phase).map(|last| last.began);
        let released = record.times.snapshots_created.zip(of_step(Phase::Completing));
        let seen = self.0.get(record.key()).copied();
        let counted = released.or_else(|| last.map(|last| (now, last))).map(|(at, after)| before(at, after));
        seen.or(counted).or(record.times.started).unwrap_or(now)
    }
}

fn before(at: Timestamp, Millis(after): Millis) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(after).unwrap_or(i64::MAX)))
}

/// It has just begun to prepare: first, or anew after it waited for its claim.
fn begins(view: &View) -> bool {
    matches!(view.record.moments.steps(), [only] if only.began == Millis(0))
}

/// Its last attempt is: what comes after is its deletion.
fn is_over(view: &View) -> bool {
    matches!(view.record.milestone, Milestone::Complete | Milestone::Failed | Milestone::Cleaning | Milestone::Cleaned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{START, record};
    use serde_json::json;
    use shared::barrier::{Barrier, Moments};

    /// A view at this milestone of this attempt, with steps that began at these moments.
    fn view(attempt: u32, milestone: Milestone, steps: &[(&str, u64)]) -> Arc<View> {
        let mut record = record();
        (record.attempt, record.milestone) = (attempt, milestone);
        let steps = steps.iter().map(|(step, began)| json!({"step": step, "began": began})).collect::<Vec<_>>();
        record.moments = serde_json::from_value::<Moments>(json!(steps)).unwrap();
        Arc::new(Barrier::new(record).view())
    }

    const PREPARING: (&str, u64) = ("Preparing", 0);

    #[test]
    fn an_attempt_is_told_once_when_it_is_over_and_from_where_it_began() {
        let mut traced = Traced::default();
        let begun = view(1, Milestone::Preparing, &[PREPARING]);
        assert_eq!(traced.viewed(None, &begun, Timestamp(1_000)), None);
        // Progress of the same step moves nothing.
        assert_eq!(traced.viewed(Some(&begun), &begun, Timestamp(3_000)), None);
        let held = view(1, Milestone::Snapshotting, &[PREPARING, ("Snapshotting", 4_000)]);
        assert_eq!(traced.viewed(Some(&begun), &held, Timestamp(5_000)), None, "nothing while it holds");
        let good = view(1, Milestone::Complete, &[PREPARING, ("Complete", 9_000)]);
        let told = traced.viewed(Some(&held), &good, Timestamp(10_000)).unwrap();
        assert_eq!((told.began, told.ended, &told.view), (Timestamp(1_000), Timestamp(10_000), &good));
        assert_eq!(traced.viewed(Some(&good), &good, Timestamp(11_000)), None, "once");
        let cleaning = view(1, Milestone::Cleaning, &[PREPARING]);
        assert_eq!(traced.viewed(Some(&good), &cleaning, Timestamp(12_000)), None);
        assert!(traced.0.is_empty());
    }

    #[test]
    fn each_attempt_of_a_backup_is_one_trace() {
        let mut traced = Traced::default();
        let first = view(1, Milestone::Preparing, &[PREPARING]);
        let aborting = view(1, Milestone::Aborting, &[PREPARING, ("Aborting", 2_000)]);
        let second = view(2, Milestone::Preparing, &[PREPARING]);
        let failed = view(2, Milestone::Failed, &[PREPARING, ("Failed", 500)]);
        traced.viewed(None, &first, Timestamp(1_000));
        assert_eq!(traced.viewed(Some(&first), &aborting, Timestamp(3_000)), None);
        let told = traced.viewed(Some(&aborting), &second, Timestamp(9_000)).unwrap();
        assert_eq!((told.view.record.attempt, told.began), (1, Timestamp(1_000)));
        let told = traced.viewed(Some(&second), &failed, Timestamp(9_600)).unwrap();
        assert_eq!((told.view.record.attempt, told.began), (2, Timestamp(9_000)));
    }

    #[test]
    fn who_was_restarted_counts_back() {
        let held = view(1, Milestone::Snapshotting, &[PREPARING, ("Snapshotting", 4_000)]);
        let failed = view(1, Milestone::Failed, &[PREPARING, ("Snapshotting", 4_000)]);
        let told = Traced::default().viewed(Some(&held), &failed, Timestamp(START + 60_000)).unwrap();
        assert_eq!(told.began, Timestamp(START + 300), "nothing was timed after the restart: when it was first seen");
        assert_eq!(Traced::default().viewed(None, &failed, Timestamp(START)), None, "it had ended before this process");
    }
}
