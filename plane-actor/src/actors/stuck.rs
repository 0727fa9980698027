//! Snapshots that EC2 would not delete, for reasons that only a person or time can end. Each clean asks for all that is left,
//! so without a memory one that is repeated for what passes would ask for these as well, over and over, in calls that the
//! whole account shares.

use super::obstacle::Obstacle;
use shared::{
    backoff::{Backoff, seed},
    ids::SnapshotId,
    time::{Instant, Millis},
};
use std::{cell::RefCell, collections::BTreeMap};

const AGAIN: Backoff = Backoff { first: Millis::secs(60), cap: Millis::secs(3600) };
/// Snapshots remembered; one that is forgotten is only asked for sooner.
const MAX: usize = 10_000;

/// What EC2 said of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What it means.
    pub(crate) obstacle: Obstacle,
    /// Word for word.
    pub(crate) said: String,
}

struct Kept {
    times: u32,
    until: Instant,
    refused: Refused,
}

/// One per process.
#[derive(Default)]
pub(crate) struct Stuck(RefCell<BTreeMap<SnapshotId, Kept>>);

impl Stuck {
    /// EC2 refused it just now.
    pub(crate) fn note(&self, id: &SnapshotId, refused: &Refused, now: Instant) {
        let mut all = self.0.borrow_mut();
        if all.len() >= MAX && !all.contains_key(id) {
            all.pop_first();
        }
        let times = all.get(id).map_or(1, |kept| kept.times.saturating_add(1));
        let until = now + AGAIN.wait(times, seed(id.as_str()));
        all.insert(id.clone(), Kept { times, until, refused: refused.clone() });
    }

    /// What EC2 said, and for how long it is too early to ask again.
    pub(crate) fn lately(&self, id: &SnapshotId, now: Instant) -> Option<(Refused, Millis)> {
        let all = self.0.borrow();
        let kept = all.get(id).filter(|kept| now < kept.until)?;
        Some((kept.refused.clone(), kept.until.since(now)))
    }

    /// Somebody may have mended it, or it is gone.
    pub(crate) fn forget(&self, id: &SnapshotId) {
        self.0.borrow_mut().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_asked_for_less_and_less_often_and_at_last_hourly() {
        let (stuck, id) = (Stuck::default(), SnapshotId::new("snap-1"));
        let refused = Refused { obstacle: Obstacle::Locked, said: "OperationNotPermitted".into() };
        let (mut now, mut waits) = (Instant(0), Vec::new());
        for _ in 0..10 {
            stuck.note(&id, &refused, now);
            let begun = now;
            while let Some((said, wait)) = stuck.lately(&id, now) {
                assert!(said == refused && wait > Millis(0), "{said:?}");
                now = now + Millis::secs(1);
            }
            waits.push(now.since(begun).0 / 1000);
        }
        assert!((30..=60).contains(&waits[0]) && waits[0] < waits[3], "{waits:?}");
        assert!(waits[9] <= 3600 && waits[9] >= 1800, "{waits:?}");
        assert_eq!(stuck.lately(&SnapshotId::new("snap-2"), Instant(0)), None);
        stuck.note(&id, &refused, now);
        stuck.forget(&id);
        assert_eq!(stuck.lately(&id, now), None);
    }
}
