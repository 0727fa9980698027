//! What is in one of EC2's buckets, as far as this coordinator has ordered calls: below zero once more was ordered than was in
//! it. An estimate: who else uses the account shows as throttles, which planes deal with.

use crate::{
    limiter::Budget,
    time::{Instant, Millis},
};

/// Thousandths of a token are counted in thousandths, so that a millisecond at `rate_milli` adds exactly that.
const MICRO_PER_MILLI: i64 = 1000;

/// One bucket. Starts full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    /// What was taken and has not come back, in millionths of a token.
    missing: i64,
    at: Instant,
}

impl Level {
    /// So many calls were ordered.
    pub(super) fn order(&mut self, now: Instant, budget: Budget, calls: u32) {
        self.missing = self.missing_at(now, budget).saturating_add(i64::from(calls) * 1000 * MICRO_PER_MILLI);
        self.at = self.at.max(now);
    }

    /// Until so many calls are through, beside those that were ordered.
    pub(super) fn time_for(&self, now: Instant, budget: Budget, calls: u32) -> Millis {
        let burst = signed(budget.burst_milli).saturating_mul(MICRO_PER_MILLI);
        let wanted = i64::from(calls) * 1000 * MICRO_PER_MILLI;
        let short = self.missing_at(now, budget).saturating_add(wanted).saturating_sub(burst).max(0);
        Millis(short.unsigned_abs().div_ceil(budget.rate_milli.max(1)))
    }

    fn missing_at(&self, now: Instant, budget: Budget) -> i64 {
        let came = signed(now.since(self.at).0).saturating_mul(signed(budget.rate_milli));
        self.missing.saturating_sub(came).max(0)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ordered_comes_back_at_the_rate_and_what_was_too_much_is_owed() {
        let (ec2, mut level) = (Budget::EC2_CREATE_SNAPSHOTS, Level::default());
        let until = |level: &Level, ms, calls| level.time_for(Instant(ms), ec2, calls).0;
        for calls in [1, 100, 101, 300] {
            assert_eq!(until(&level, 7, calls), ec2.time_for(calls).0, "a full one");
        }
        level.order(Instant(1_000), ec2, 150);
        assert_eq!([0, 1, 100].map(|calls| until(&level, 1_000, calls)), [10_000, 10_200, 30_000]);
        assert_eq!([0, 1, 100].map(|calls| until(&level, 11_000, calls)), [0, 200, 20_000]);
        assert_eq!(until(&level, 31_000, 100), 0, "full again");
        assert_eq!(until(&level, 600_000, 101), 200, "and no more than full");
        level.order(Instant(600_000), ec2, 100);
        level.order(Instant(500_000), ec2, 5);
        assert_eq!(until(&level, 600_000, 0), 1_000, "a clock that goes back adds nothing");
    }
}
