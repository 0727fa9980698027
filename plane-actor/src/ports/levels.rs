//! What is left of the budgets of AWS calls, for metrics and people. Written whenever a bucket changes; what has come back
//! since is computed by who looks.

use shared::{
    limiter::{Left, Limiter},
    time::{Instant, Millis},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Account, Region, action.
type Key = (String, String, &'static str);

/// A bucket, and when it was so by both clocks: the one that it counts by, and the one of who looks.
type Shown = (Limiter, Instant, tokio::time::Instant);

/// Clones share what is shown. As many as there are buckets, which are bounded.
#[derive(Clone, Debug, Default)]
pub struct Levels(Arc<Mutex<BTreeMap<Key, Shown>>>);

/// One bucket at the moment of the look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// What is called.
    pub action: &'static str,
    /// What may be called at once, and what comes back.
    pub left: Left,
}

impl Levels {
    /// This is how a bucket stands now.
    pub fn show(&self, account: &str, region: &str, action: &'static str, limiter: &Limiter, now: Instant) {
        let key = (account.to_owned(), region.to_owned(), action);
        self.shown().insert(key, (limiter.clone(), now, tokio::time::Instant::now()));
    }

    /// This bucket is no more.
    pub fn forget(&self, account: &str, region: &str, action: &'static str) {
        self.shown().remove(&(account.to_owned(), region.to_owned(), action));
    }

    /// All of them, as they are at this moment.
    pub fn look(&self) -> Vec<Level> {
        let at_this_moment = |((account, region, action), (limiter, at, shown)): (&Key, &Shown)| {
            let since = Millis(u64::try_from(shown.elapsed().as_millis()).unwrap_or(u64::MAX));
            Level { account: account.clone(), region: region.clone(), action, left: limiter.left(*at + since) }
        };
        self.shown().iter().map(at_this_moment).collect()
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<Key, Shown>> {
        // Each entry is whole, so a panicking holder has spoilt nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::limiter::Budget;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_came_back_since_is_counted() {
        let (levels, mut limiter) = (Levels::default(), Limiter::new(Budget::whole(5, 100), Instant(7_000)));
        assert_eq!(limiter.take(Instant(7_000), 30), Ok(()));
        levels.show("1", "eu", "CreateSnapshots", &limiter, Instant(7_000));
        levels.show("1", "us", "CreateSnapshots", &limiter, Instant(7_000));
        levels.forget("1", "us", "CreateSnapshots");
        tokio::time::sleep(Duration::from_secs(4)).await;
        let looked = levels.look();
        assert_eq!(looked.len(), 1, "{looked:?}");
        assert_eq!((looked[0].region.as_str(), looked[0].left), ("eu", Left { milli: 90_000, rate_milli: 5_000 }));
    }
}
