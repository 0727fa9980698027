//! Who waits for a claim, in order. The first is called when the claim is free, and prepares anew; the others stay where
//! they are, so that a plane that is about to hold is not asked by all of them at once.

use crate::{
    ids::{BackupUid, ClusterId},
    time::{Instant, Millis},
};
use std::collections::{BTreeMap, VecDeque};

/// How long whoever is called has a right to be first. It prepares meanwhile, which mostly takes some seconds; one that
/// takes longer still gets the claim if nobody else was there.
const CALL: Millis = Millis::secs(60);

/// A backup has one place in it, so there are no more places than barriers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Queue {
    waiting: BTreeMap<ClusterId, VecDeque<BackupUid>>,
    called: BTreeMap<ClusterId, (BackupUid, Instant)>,
}

impl Queue {
    /// The last place, for one that has none.
    pub(super) fn join(&mut self, cluster: ClusterId, backup: BackupUid) {
        let queue = self.waiting.entry(cluster).or_default();
        if !queue.contains(&backup) {
            queue.push_back(backup);
        }
    }

    /// It waits no more. True: it had been called, so the next has to be.
    pub(super) fn leave(&mut self, cluster: ClusterId, backup: &BackupUid) -> bool {
        if let Some(queue) = self.waiting.get_mut(&cluster) {
            queue.retain(|waits| waits != backup);
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        let called = self.called.get(&cluster).is_some_and(|(called, _)| called == backup);
        if called {
            self.called.remove(&cluster);
        }
        called
    }

    /// Calls the next one, unless somebody was called a short time ago.
    pub(super) fn call(&mut self, cluster: ClusterId, now: Instant) -> Option<BackupUid> {
        if self.first(cluster, now).is_some() {
            return None;
        }
        self.called.remove(&cluster);
        let queue = self.waiting.get_mut(&cluster)?;
        let next = queue.pop_front();
        self.waiting.retain(|_, queue| !queue.is_empty());
        let next = next?;
        self.called.insert(cluster, (next.clone(), now + CALL));
        Some(next)
    }

    /// Who has been called, and has a right to be first.
    pub(super) fn first(&self, cluster: ClusterId, now: Instant) -> Option<&BackupUid> {
        self.called.get(&cluster).filter(|(_, until)| now < *until).map(|(backup, _)| backup)
    }

    /// The claim is somebody's now.
    pub(super) fn taken(&mut self, cluster: ClusterId) {
        self.called.remove(&cluster);
    }

    /// Nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Of which TiDB clusters a claim is waited for.
    pub(super) fn clusters(&self) -> Vec<ClusterId> {
        self.waiting.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: ClusterId = ClusterId(7);

    fn uid(number: usize) -> BackupUid {
        BackupUid::new(format!("u{number}"))
    }

    #[test]
    fn one_is_called_at_a_time_in_order() {
        let mut queue = Queue::default();
        assert!(queue.is_empty());
        for number in (0..300).chain(0..300) {
            queue.join(CLUSTER, uid(number));
        }
        assert!(!queue.is_empty());
        assert_eq!(queue.clusters(), [CLUSTER]);
        for number in 0..300 {
            assert_eq!(queue.call(CLUSTER, Instant(0)), Some(uid(number)));
            assert_eq!(queue.call(CLUSTER, Instant(0)), None, "one at a time");
            assert_eq!(queue.first(CLUSTER, Instant(0)), Some(&uid(number)));
            queue.taken(CLUSTER);
        }
        assert_eq!((queue.call(CLUSTER, Instant(0)), queue.clusters()), (None, Vec::new()));
    }

    #[test]
    fn who_leaves_is_not_called_and_the_others_keep_their_places() {
        let mut queue = Queue::default();
        (0..4).for_each(|number| queue.join(CLUSTER, uid(number)));
        assert!(!queue.leave(CLUSTER, &uid(1)));
        for number in [0, 2, 3] {
            assert_eq!(queue.call(CLUSTER, Instant(0)), Some(uid(number)));
            queue.taken(CLUSTER);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn who_does_not_come_or_goes_holds_up_nobody() {
        let mut queue = Queue::default();
        (0..3).for_each(|number| queue.join(CLUSTER, uid(number)));
        assert_eq!(queue.call(CLUSTER, Instant(0)), Some(uid(0)));
        let late = Instant(0) + CALL;
        assert_eq!(queue.first(CLUSTER, late), None);
        assert_eq!(queue.call(CLUSTER, late), Some(uid(1)));
        assert!(!queue.leave(CLUSTER, &uid(2)), "it only waited");
        assert!(queue.leave(CLUSTER, &uid(1)), "it was called");
        assert_eq!(queue.call(CLUSTER, late), None);
    }
}
