//! Token buckets as EC2 keeps them: one per account, Region and action, shared by every caller of the account
//! (`facts/aws.md` A7). Ours stays below it, so that a barrier waits a known time here instead of an unknown one after a
//! refusal. Planes of one account and Region each take a [`Budget::share`].
//!
//! A bucket never grants more than `burst + rate · t` tokens in any time `t`, and a caller that waits as long as it was
//! told is granted what it asked for, unless another caller or a penalty came between.

use crate::time::{Instant, Millis};
use serde::{Deserialize, Serialize};

/// What one bucket holds and how it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Budget {
    /// Thousandths of a token per second.
    pub rate_milli: u64,
    /// Thousandths of a token that the full bucket holds.
    pub burst_milli: u64,
}

impl Budget {
    /// CreateSnapshots: 100 at once, then 5/s.
    pub const EC2_CREATE_SNAPSHOTS: Self = Self::whole(5, 100);
    /// CreateSnapshot: 100 at once, then 5/s, beside CreateSnapshots.
    pub const EC2_CREATE_SNAPSHOT: Self = Self::whole(5, 100);
    /// DeleteSnapshot: 100 at once, then 5/s.
    pub const EC2_DELETE_SNAPSHOT: Self = Self::whole(5, 100);
    /// Describes by ids alone: which bucket they use is not documented, so the smaller is planned for.
    pub const EC2_DESCRIBE_PLAIN: Self = Self::whole(10, 50);
    /// Describes with a filter or paging.
    pub const EC2_DESCRIBE_PAGED: Self = Self::whole(20, 100);
    /// CreateVolume.
    pub const EC2_CREATE_VOLUME: Self = Self::whole(5, 100);
    /// DeleteVolume.
    pub const EC2_DELETE_VOLUME: Self = Self::whole(5, 100);
    /// ListChangedBlocks, and ListSnapshotBlocks beside it: 50/s, which AWS does not raise (`facts/aws.md` A6). How many
    /// at once is not documented; a second's worth is planned for.
    pub const EBS_LISTS: Self = Self::whole(50, 50);

    /// `rate` tokens per second, `burst` tokens at once.
    #[must_use]
    pub const fn whole(rate: u32, burst: u32) -> Self {
        Self { rate_milli: rate as u64 * 1000, burst_milli: burst as u64 * 1000 }
    }

    /// The part of whoever makes `calls` of the `of` calls that are made out of this budget, rounded down as
    /// [`Budget::share`] is. More than all of them is all.
    #[must_use]
    pub fn part(self, calls: u32, of: u32) -> Self {
        let of = u64::from(of.max(1));
        let calls = u64::from(calls).min(of);
        Self {
            rate_milli: (self.rate_milli.saturating_mul(calls) / of).max(1),
            burst_milli: (self.burst_milli.saturating_mul(calls) / of).max(1000),
        }
    }

    /// The smaller of both, in what is there at once and in what comes.
    #[must_use]
    pub fn at_most(self, other: Self) -> Self {
        Self { rate_milli: self.rate_milli.min(other.rate_milli), burst_milli: self.burst_milli.min(other.burst_milli) }
    }

    /// How long so many calls take at least, from a full bucket.
    #[must_use]
    pub fn time_for(self, calls: u32) -> Millis {
        let later = (u64::from(calls) * 1000).saturating_sub(self.burst_milli);
        Millis(later.saturating_mul(1000).div_ceil(self.rate_milli.max(1)))
    }

    /// The part of one of `planes` that share this budget (0 counts as 1), rounded down so that the parts never exceed
    /// the whole. The one exception: a bucket holds at least one token, because one that holds less can never grant;
    /// with more planes than tokens the rate still bounds them.
    #[must_use]
    pub fn share(self, planes: u32) -> Self {
        let planes = u64::from(planes.max(1));
        Self { rate_milli: (self.rate_milli / planes).max(1), burst_milli: (self.burst_milli / planes).max(1000) }
    }
}

/// What is in a bucket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Thousandths of a token.
    pub milli: u64,
    /// Thousandths of a token per second that come back then; below the budget's rate while a throttle is remembered.
    pub rate_milli: u64,
}

/// Millionths of a token: one millisecond at `rate_milli` adds exactly `rate_milli` of them, so nothing is rounded.
const MICRO_PER_MILLI: u64 = 1000;

/// A throttle halves the rate, at most to an eighth: slower than that and a barrier only runs into its own clock.
const MAX_HALVINGS: u8 = 3;

/// Throttles this close together are one event: calls that were in flight at the same time are refused together.
const PENALTY_PAUSE: Millis = Millis::secs(1);

/// After this long without a throttle one halving is taken back. The slowest bucket of EC2 that matters here refills
/// in 20 s (100 tokens at 5/s).
const RECOVERY: Millis = Millis::secs(20);

/// One bucket. Starts full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limiter {
    budget: Budget,
    /// What is in it at `at`, in millionths of a token.
    level: u64,
    at: Instant,
    halvings: u8,
    /// When one halving is taken back; meaningless without halvings.
    recovers: Instant,
    /// The last throttle that counted.
    penalised: Option<Instant>,
}

impl Limiter {
    /// A full bucket.
    #[must_use]
    pub fn new(budget: Budget, now: Instant) -> Self {
        let level = budget.burst_milli.saturating_mul(MICRO_PER_MILLI);
        Self { budget, level, at: now, halvings: 0, recovers: now, penalised: None }
    }

    /// Takes `tokens` whole tokens, or none and says how long until they are there. More than the bucket can ever hold
    /// is never granted: the wait is [`Millis`]`(u64::MAX)`.
    pub fn take(&mut self, now: Instant, tokens: u32) -> Result<(), Millis> {
        self.refill(now);
        let wanted = u64::from(tokens) * 1000 * MICRO_PER_MILLI;
        if wanted > self.capacity() {
            return Err(Millis(u64::MAX));
        }
        if wanted > self.level {
            return Err(self.until(wanted));
        }
        self.level -= wanted;
        Ok(())
    }

    /// EC2 refused by rate: somebody else uses this account's budget too. The bucket is emptied (theirs is) and fills
    /// at half the rate, until `RECOVERY` has passed without another refusal.
    pub fn penalty(&mut self, now: Instant) {
        self.empty(now);
        if self.penalised.is_none_or(|last| self.at.since(last) >= PENALTY_PAUSE) {
            self.penalised = Some(self.at);
            self.halvings = (self.halvings + 1).min(MAX_HALVINGS);
        }
        self.recovers = self.at + RECOVERY;
    }

    /// Nothing is in it now: another caller was faster.
    pub fn empty(&mut self, now: Instant) {
        self.refill(now);
        self.level = 0;
    }

    /// Another budget, as when a plane of the same account joins or leaves. What is in the bucket stays, as far as it
    /// fits.
    pub fn set_budget(&mut self, now: Instant, budget: Budget) {
        self.refill(now);
        self.budget = budget;
        self.level = self.level.min(self.capacity());
    }

    /// Thousandths of a token per second at which the bucket fills now; below its budget while a throttle is remembered.
    #[must_use]
    pub fn rate_milli(&self) -> u64 {
        // At least one: a wait is always finite.
        (self.budget.rate_milli >> self.halvings).max(1)
    }

    /// What is in it at this moment, if nobody takes anything until then.
    #[must_use]
    pub fn left(&self, now: Instant) -> Left {
        let mut then = self.clone();
        then.refill(now);
        Left { milli: then.level / MICRO_PER_MILLI, rate_milli: then.rate_milli() }
    }

    fn capacity(&self) -> u64 {
        self.budget.burst_milli.saturating_mul(MICRO_PER_MILLI)
    }

    /// Moves the bucket to `now`, through every recovery on the way. A clock that goes back adds nothing.
    fn refill(&mut self, now: Instant) {
        while self.halvings > 0 && self.recovers <= now {
            self.fill_until(self.recovers);
            self.halvings -= 1;
            self.recovers = self.recovers + RECOVERY;
        }
        self.fill_until(now);
    }

    fn fill_until(&mut self, time: Instant) {
        let gained = time.since(self.at).0.saturating_mul(self.rate_milli());
        self.level = self.level.saturating_add(gained).min(self.capacity());
        self.at = self.at.max(time);
    }

    /// How long after `self.at` the bucket holds `wanted`, which fits into it.
    fn until(&self, wanted: u64) -> Millis {
        let mut ahead = self.clone();
        while ahead.halvings > 0 {
            let length = (wanted - ahead.level).div_ceil(ahead.rate_milli());
            if length <= ahead.recovers.since(ahead.at).0 {
                return Millis(ahead.at.since(self.at).0.saturating_add(length));
            }
            let recovers = ahead.recovers;
            ahead.refill(recovers);
            if ahead.level >= wanted {
                return ahead.at.since(self.at);
            }
        }
        let length = (wanted - ahead.level).div_ceil(ahead.rate_milli());
        Millis(ahead.at.since(self.at).0.saturating_add(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_beyond_the_burst_takes_its_time() {
        let budget = Budget::EC2_CREATE_SNAPSHOTS;
        assert_eq!([1, 100, 101, 300].map(|calls| budget.time_for(calls)), [0, 0, 200, 40_000].map(Millis));
    }

    #[test]
    fn parts_never_exceed_the_whole() {
        let whole = Budget::EC2_CREATE_SNAPSHOTS;
        let parts = [(150, 300), (100, 300), (50, 300)].map(|(calls, of)| whole.part(calls, of));
        assert_eq!(parts.map(|part| part.burst_milli), [50_000, 33_333, 16_666]);
        assert_eq!(parts.map(|part| part.rate_milli), [2_500, 1_666, 833]);
        assert_eq!((whole.part(3, 0), whole.part(9, 3)), (whole, whole), "nonsense is everything, and no more");
        assert_eq!(whole.part(0, 7).burst_milli, 1_000, "less than one token could never grant");
        assert_eq!(whole.share(2).at_most(whole.part(1, 4)), whole.part(1, 4));
    }

    const fn at(ms: u64) -> Instant {
        Instant(ms)
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut limiter = Limiter::new(Budget::EC2_CREATE_SNAPSHOTS, at(0));
        for _ in 0..100 {
            assert_eq!(limiter.take(at(0), 1), Ok(()));
        }
        assert_eq!(limiter.take(at(0), 1), Err(Millis(200)));
        assert_eq!(limiter.take(at(199), 1), Err(Millis(1)));
        assert_eq!(limiter.take(at(200), 1), Ok(()));
        assert_eq!(limiter.take(at(200), 10), Err(Millis(2000)));
    }

    #[test]
    fn what_is_left_is_told_for_any_moment_and_takes_nothing() {
        let mut limiter = Limiter::new(Budget::whole(5, 100), at(0));
        assert_eq!(limiter.take(at(0), 40), Ok(()));
        let told = |limiter: &Limiter, now| (limiter.left(at(now)).milli, limiter.left(at(now)).rate_milli);
        assert_eq!([0, 100, 8_000, 9_000].map(|now| told(&limiter, now).0), [60_000, 60_500, 100_000, 100_000]);
        limiter.penalty(at(9_000));
        assert_eq!(told(&limiter, 10_000), (2_500, 2_500), "half the rate while the throttle is remembered");
        assert_eq!(told(&limiter, 30_000), (55_000, 5_000), "and the whole again");
    }

    #[test]
    fn what_never_fits_is_never_promised() {
        let mut limiter = Limiter::new(Budget::whole(5, 3), at(0));
        assert_eq!(limiter.take(at(0), 4), Err(Millis(u64::MAX)));
        assert_eq!(limiter.take(at(0), 3), Ok(()));
    }

    #[test]
    fn a_throttle_empties_slows_and_recovers() {
        let mut limiter = Limiter::new(Budget::whole(8, 100), at(0));
        limiter.penalty(at(1000));
        assert_eq!(limiter.rate_milli(), 4000);
        assert_eq!(limiter.take(at(1000), 1), Err(Millis(250)));
        limiter.penalty(at(1500));
        assert_eq!(limiter.rate_milli(), 4000, "refused together is refused once");
        for second in 3..10 {
            limiter.penalty(at(second * 1000));
        }
        assert_eq!(limiter.rate_milli(), 1000, "an eighth and no less");
        // 20 s at an eighth, 20 s at a quarter, 20 s at a half: 20 + 40 + 80 tokens, the last 20 beyond 60 s at 8/s.
        assert_eq!(limiter.take(at(9000), 100), Err(Millis(50_000)));
        assert_eq!(limiter.take(at(59_000), 100), Ok(()));
        assert_eq!(limiter.take(at(9000 + 60_000), 0), Ok(()));
        assert_eq!(limiter.rate_milli(), 8000);
    }

    #[test]
    fn a_clock_that_goes_back_adds_nothing() {
        let mut limiter = Limiter::new(Budget::whole(1, 1), at(5000));
        assert_eq!(limiter.take(at(5000), 1), Ok(()));
        assert_eq!(limiter.take(at(1000), 1), Err(Millis(1000)));
        assert_eq!(limiter.take(at(5500), 1), Err(Millis(500)));
    }

    #[test]
    fn a_smaller_budget_takes_what_no_longer_fits() {
        let mut limiter = Limiter::new(Budget::whole(10, 100), at(0));
        limiter.set_budget(at(0), Budget::whole(10, 100).share(4));
        assert_eq!(limiter.take(at(0), 25), Ok(()));
        assert_eq!(limiter.take(at(0), 1), Err(Millis(400)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Take(u32),
        TakeAfterWait(u32),
        Penalty,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0_u64..30_000).prop_map(Step::Wait),
            (0_u32..8).prop_map(Step::Take),
            (0_u32..8).prop_map(Step::TakeAfterWait),
            Just(Step::Penalty),
        ];
        prop::collection::vec(step, 0..80)
    }

    /// Runs `steps` and returns what was granted when, checking that a told wait is kept and is not too long.
    fn run(limiter: &mut Limiter, steps: &[Step]) -> Vec<(u64, u64)> {
        let mut now = 0;
        let mut granted = Vec::new();
        for step in steps {
            match *step {
                Step::Wait(length) => now += length,
                Step::Penalty => limiter.penalty(at(now)),
                Step::Take(tokens) => {
                    if limiter.take(at(now), tokens).is_ok() {
                        granted.push((now, u64::from(tokens)));
                    }
                }
                Step::TakeAfterWait(tokens) => {
                    let Err(wait) = limiter.take(at(now), tokens) else {
                        granted.push((now, u64::from(tokens)));
                        continue;
                    };
                    if wait == Millis(u64::MAX) {
                        continue;
                    }
                    assert!(wait.0 > 0);
                    assert!(limiter.clone().take(at(now + wait.0 - 1), tokens).is_err(), "told to wait too long");
                    now += wait.0;
                    assert_eq!(limiter.take(at(now), tokens), Ok(()), "told to wait too short");
                    granted.push((now, u64::from(tokens)));
                }
            }
        }
        granted
    }

    proptest! {
        #[test]
        fn no_window_gets_more_than_its_due_and_every_told_wait_is_kept(
            rate_milli in 1_u64..50_000, burst_milli in 1000_u64..12_000, steps in steps(),
        ) {
            let mut limiter = Limiter::new(Budget { rate_milli, burst_milli }, at(0));
            let granted = run(&mut limiter, &steps);
            for (first, (from, _)) in granted.iter().enumerate() {
                let mut sum = 0;
                for (until, tokens) in &granted[first..] {
                    sum += tokens * 1_000_000;
                    let due = burst_milli * 1000 + rate_milli * (until - from);
                    prop_assert!(sum <= due, "{sum} in {from}..{until} is more than {due}");
                }
            }
        }

        #[test]
        fn shares_never_exceed_the_whole(
            rate in 1_u32..1000, burst in 1_u32..1000, planes in 1_u32..200,
        ) {
            prop_assume!(planes <= burst && u64::from(planes) <= u64::from(rate) * 1000);
            let whole = Budget::whole(rate, burst);
            let share = whole.share(planes);
            prop_assert!(share.rate_milli * u64::from(planes) <= whole.rate_milli);
            prop_assert!(share.burst_milli * u64::from(planes) <= whole.burst_milli);
            prop_assert!(share.burst_milli >= 1000);
        }
    }
}
