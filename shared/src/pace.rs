//! The rate of work that has time, in a bucket that others take from as well: it is sought. Every call makes it a little
//! faster, every throttle a quarter slower, so that callers that do not know of each other settle at what the bucket
//! gives them all together. What is left in the bucket while they are slower is not lost: it holds 20 s of its refill.
//!
//! A [`Limiter`] alone is for a barrier: it halves at once and is whole again after a minute, whoever else is there.

use crate::{
    limiter::{Budget, Limiter},
    time::{Instant, Millis},
};

/// The rate is so many millionths of the budget at most.
const WHOLE: u32 = 1_000_000;

/// A throttle takes a quarter of the rate.
const SLOWER: u32 = 4;

/// A call adds the root of the part, divided by this. In time that is more than in proportion for who is slow and less for
/// who is fast, so that callers come to be equally fast; and one to three calls in a hundred are throttled, with two callers
/// as with ten.
const FASTER: u32 = 700;

/// The slowest: twenty callers of one bucket. From there it takes a quarter of an hour to find that all others have left.
const LEAST: u32 = WHOLE / 20;

/// Throttles this close together are one: calls that were in flight at the same time are refused together.
const ONE_THROTTLE: Millis = Millis::secs(1);

/// One bucket as one of its callers sees it. Starts full, at the whole rate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    budget: Budget,
    part: u32,
    limiter: Limiter,
    /// The last throttle that counted.
    slowed: Option<Instant>,
}

impl Pace {
    /// A full bucket.
    #[must_use]
    pub fn new(budget: Budget, now: Instant) -> Self {
        Self { budget, part: WHOLE, limiter: Limiter::new(budget, now), slowed: None }
    }

    /// Takes one token, or says how long until it is there.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take(&mut self, now: Instant) -> Result<(), Millis> {
        self.limiter.take(now, 1)?;
        let root = u32::try_from((u64::from(self.part) * u64::from(WHOLE)).isqrt()).unwrap_or(WHOLE);
        self.set_part(now, self.part + root / FASTER);
        Ok(())
    }

    /// EC2 refused by rate: nothing is in the bucket, and it is emptied faster than it fills.
    pub fn throttled(&mut self, now: Instant) {
        self.limiter.empty(now);
        if self.slowed.is_none_or(|last| now.since(last) >= ONE_THROTTLE) {
            self.slowed = Some(now);
            self.set_part(now, self.part - self.part / SLOWER);
        }
    }

    /// Another budget; the part of it that was found stays.
    pub fn set_budget(&mut self, now: Instant, budget: Budget) {
        self.budget = budget;
        self.set_part(now, self.part);
    }

    /// As it stands now.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    fn set_part(&mut self, now: Instant, part: u32) {
        self.part = part.clamp(LEAST, WHOLE);
        self.limiter.set_budget(now, self.budget.part(self.part, WHOLE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC2: Budget = Budget::EC2_DELETE_SNAPSHOT;

    /// So many callers with enough to do, for an hour, at one bucket of which somebody else takes `other` tokens a second.
    /// What was granted of what EC2 would have granted, and throttled of what was asked for, both in thousandths.
    fn an_hour(callers: u64, other: u64) -> (u64, u64) {
        const HOUR: u64 = 3_600_000;
        let mut bucket = Limiter::new(EC2, Instant(0));
        let mut paces: Vec<(Instant, Pace)> =
            (0..callers).map(|i| (Instant(137 * i), Pace::new(EC2, Instant(0)))).collect();
        let (mut granted, mut throttled, mut taken) = (0_u64, 0_u64, 0_u64);
        while let Some((due, pace)) = paces.iter_mut().min_by_key(|(due, _)| *due).filter(|(due, _)| due.0 < HOUR) {
            let now = *due;
            while taken * 1000 < now.0 * other {
                taken += u64::from(bucket.take(now, 1).is_ok());
                if bucket.clone().take(now, 1).is_err() {
                    break;
                }
            }
            match pace.take(now) {
                // Nobody wakes at the very moment.
                Err(wait) => *due = now + wait + Millis(1 + now.0 % 17),
                Ok(()) if bucket.take(now, 1).is_ok() => granted += 1,
                Ok(()) => {
                    throttled += 1;
                    pace.throttled(now);
                }
            }
        }
        let due = EC2.burst_milli / 1000 + EC2.rate_milli * HOUR / 1_000_000;
        ((granted + taken) * 1000 / due, throttled * 1000 / (granted + throttled))
    }

    #[test]
    fn callers_that_know_nothing_of_each_other_use_the_bucket_without_a_storm() {
        // (1, 2): one caller beside somebody who takes two a second.
        for (callers, other) in [(1, 0), (1, 2), (2, 0), (3, 0), (3, 2), (10, 0), (10, 1)] {
            let (used, throttled) = an_hour(callers, other);
            assert!(used >= 970, "{callers} callers beside {other}/s used {used} thousandths of what there was");
            assert!(throttled <= 35, "{callers} callers beside {other}/s: {throttled} of 1000 calls were throttled");
        }
    }

    #[test]
    fn alone_it_is_never_throttled() {
        assert_eq!(an_hour(1, 0).1, 0);
    }

    #[test]
    fn a_throttle_takes_a_quarter_and_calm_gives_it_back() {
        let mut pace = Pace::new(Budget::whole(8, 100), Instant(0));
        pace.throttled(Instant(0));
        pace.throttled(Instant(999));
        assert_eq!(pace.take(Instant(999)), Err(Millis(167)), "6/s, and throttled together is throttled once");
        let mut now = Instant(999);
        for _ in 0..190 {
            while let Err(wait) = pace.take(now) {
                now = now + wait;
            }
        }
        assert!(matches!(pace.take(now), Err(Millis(100..=125))), "8/s again: {:?}", pace.take(now));
        for second in 2..100 {
            pace.throttled(now + Millis::secs(second));
        }
        let end = now + Millis::secs(99);
        assert_eq!(pace.take(end), Err(Millis(2_500)), "a twentieth, and no less");
        pace.set_budget(end, Budget::whole(16, 100));
        assert_eq!(pace.take(end), Err(Millis(1_250)));
    }
}
