//! Snapshots that EC2 would not delete, for reasons that only a person or time can end: in use, locked, AWS Backup's. Each
//! clean asks for all that is left, so without a memory thirty such backups would use up the account's DeleteSnapshot
//! calls for good.

use shared::{
    backoff::Backoff,
    ids::SnapshotId,
    time::{Instant, Millis},
};
use std::{cell::RefCell, collections::BTreeMap};

const AGAIN: Backoff = Backoff { first: Millis::secs(60), cap: Millis::secs(3600) };
/// Snapshots remembered; one that is forgotten is only asked for sooner.
const MAX: usize = 10_000;

struct Refused {
    times: u32,
    until: Instant,
    text: String,
}

/// One per process.
#[derive(Default)]
pub(crate) struct Stuck(RefCell<BTreeMap<SnapshotId, Refused>>);

impl Stuck {
    /// EC2 refused it just now.
    pub(crate) fn refused(&self, id: &SnapshotId, text: &str, now: Instant) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= MAX && !kept.contains_key(id) {
            kept.pop_first();
        }
        let seed = id.as_str().bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        let times = kept.get(id).map_or(1, |refused| refused.times.saturating_add(1));
        let until = now + AGAIN.wait(times, seed);
        kept.insert(id.clone(), Refused { times, until, text: text.to_owned() });
    }

    /// What EC2 said, while it is too early to ask again.
    pub(crate) fn refused_lately(&self, id: &SnapshotId, now: Instant) -> Option<String> {
        let kept = self.0.borrow();
        let refused = kept.get(id).filter(|refused| now < refused.until)?;
        Some(format!("{}; EC2 is asked again in {} s", refused.text, refused.until.since(now).as_secs_up()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_asked_for_less_and_less_often_and_at_last_hourly() {
        let (stuck, id) = (Stuck::default(), SnapshotId::new("snap-1"));
        let (mut now, mut waits) = (Instant(0), Vec::new());
        for _ in 0..10 {
            stuck.refused(&id, "snap-1: locked", now);
            let begun = now;
            while let Some(text) = stuck.refused_lately(&id, now) {
                assert!(text.starts_with("snap-1: locked; EC2 is asked again in "), "{text}");
                now = now + Millis::secs(1);
            }
            waits.push(now.since(begun).0 / 1000);
        }
        assert!((30..=60).contains(&waits[0]) && waits[0] < waits[3], "{waits:?}");
        assert!(waits[9] <= 3600 && waits[9] >= 1800, "{waits:?}");
        assert_eq!(stuck.refused_lately(&SnapshotId::new("snap-2"), Instant(0)), None);
    }
}
