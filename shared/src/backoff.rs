//! How long to wait before the next try: exponential, capped, and spread by a seed, so that planes refused together do
//! not come back together. A function of its arguments; it counts nothing and draws nothing.

use crate::time::Millis;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// Growth of the waits of one kind of retry. The number of tries is the caller's bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// Full wait after the first failure.
    pub first: Millis,
    /// No wait is longer.
    pub cap: Millis,
}

impl Backoff {
    /// EC2 before it is asked again for something it did not show: from 2 s (`facts/aws.md` A2, eventual
    /// consistency), to 15 s, because a volume may be snapshotted again after that (A3).
    pub const EC2_LOOK: Self = Self { first: Millis::secs(2), cap: Millis::secs(15) };

    /// The wait after `failures` failures in a row (0 counts as 1): between half and all of
    /// `first · 2^(failures − 1)`, at most [`cap`](Self::cap). Equal arguments give equal waits.
    #[must_use]
    pub fn wait(self, failures: u32, seed: u64) -> Millis {
        let doublings = failures.saturating_sub(1);
        let grown = 1_u64.checked_shl(doublings).map_or(u64::MAX, |factor| self.first.0.saturating_mul(factor));
        let full = grown.min(self.cap.0);
        let half = full / 2;
        // The upper half is the part that is spread; +1 keeps both of its ends reachable.
        let spread = (full - half).saturating_add(1);
        Millis(half + draw(seed, failures) % spread)
    }
}

/// A seed from a name: who waits under different names comes back at different moments.
#[must_use]
pub fn seed(name: &str) -> u64 {
    name.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

fn draw(seed: u64, failures: u32) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, u64::from(failures));
    hasher.write_u8(0);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_to_the_cap_and_stays_there() {
        let backoff = Backoff { first: Millis(100), cap: Millis(1000) };
        let full = [100, 200, 400, 800, 1000, 1000];
        for (failures, full) in (1..).zip(full) {
            let waits: Vec<u64> = (0..500).map(|seed| backoff.wait(failures, seed).0).collect();
            assert!(waits.iter().all(|wait| (full / 2..=full).contains(wait)), "{failures}: {waits:?}");
            let spread = waits.iter().max().unwrap() - waits.iter().min().unwrap();
            assert!(spread > full / 3, "{failures}: waits lie within {spread} ms of each other");
        }
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds_for_any_number(
            first in any::<u64>(), cap in any::<u64>(), failures in any::<u32>(), seed in any::<u64>(),
        ) {
            let backoff = Backoff { first: Millis(first), cap: Millis(cap) };
            let wait = backoff.wait(failures, seed);
            prop_assert!(wait.0 <= cap);
            prop_assert!(wait.0 >= first.min(cap) / 2);
            prop_assert_eq!(wait, backoff.wait(failures, seed));
        }
    }
}
