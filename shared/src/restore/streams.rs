//! When all data is there. AWS initialises so many volumes of an account and Region at a time as their rates fit into its quota,
//! and refuses to make one more (`facts/restore.md` §5.2); so a volume is made when one before it is done.

use crate::time::Millis;
use std::{cmp::Reverse, collections::BinaryHeap};

const MIB: u128 = 1 << 20;

/// Volumes of one account and Region that are initialised at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// MiB/s of each.
    pub rate: u32,
    /// MiB/s of all together.
    pub quota: u32,
}

impl Stream {
    /// How many at a time; 0: not even one.
    #[must_use]
    pub const fn at_once(self) -> u32 {
        match self.quota.checked_div(self.rate) {
            Some(many) => many,
            None => 0,
        }
    }

    /// How long one takes alone.
    fn takes(self, bytes: u64) -> u64 {
        let rate = u128::from(self.rate.max(1)) * MIB;
        u64::try_from((u128::from(bytes) * 1000).div_ceil(rate)).unwrap_or(u64::MAX)
    }
}

/// When the data of each is there, since the first was made. They are made in this order, each as soon as there is room; `None`:
/// not even one fits.
#[must_use]
pub fn finished(stream: Stream, bytes: &[u64]) -> Option<Vec<Millis>> {
    let most = usize::try_from(stream.at_once()).unwrap_or(usize::MAX).min(bytes.len());
    if most == 0 {
        return bytes.is_empty().then(Vec::new);
    }
    let mut free: BinaryHeap<Reverse<u64>> = std::iter::repeat_n(Reverse(0), most).collect();
    let done = bytes.iter().map(|bytes| {
        // There is always one: as many go in as come out.
        let begun = free.pop().map_or(0, |Reverse(at)| at);
        let done = begun.saturating_add(stream.takes(*bytes));
        free.push(Reverse(done));
        Millis(done)
    });
    Some(done.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn done(rate: u32, quota: u32, gib: &[u64]) -> Option<Vec<u64>> {
        let bytes: Vec<u64> = gib.iter().map(|gib| gib * GIB).collect();
        finished(Stream { rate, quota }, &bytes).map(|all| all.into_iter().map(|at| at.0 / 1000).collect())
    }

    #[test]
    fn all_at_once_where_they_fit_and_in_turns_where_not() {
        assert_eq!(done(256, 5_000, &[1, 2, 4]), Some(vec![4, 8, 16]), "each by itself");
        assert_eq!(done(256, 512, &[1, 2, 4]), Some(vec![4, 8, 20]), "the third when the first is done");
        assert_eq!(done(256, 511, &[1, 2, 4]), Some(vec![4, 12, 28]), "one after the other");
        assert_eq!(done(256, 255, &[1]), None, "not even one");
        assert_eq!(done(256, 0, &[]), Some(vec![]));
    }

    #[test]
    fn the_figures_of_the_facts() {
        let sixteen = Stream { rate: 300, quota: 5_000 };
        assert_eq!(sixteen.at_once(), 16);
        let hours = |at: Millis| (at.0 + 180_000) / 360_000;
        let three_tib = finished(sixteen, &[3 << 40; 17]).expect("they fit");
        assert_eq!((hours(three_tib[15]), hours(three_tib[16])), (29, 58), "2.9 h, and as long again for the 17th");
    }

    /// Whatever the numbers: nothing overflows, no volume is done before it could be, and more room is never slower.
    #[test]
    fn laws() {
        let sizes = [0, 1, GIB, 3 << 40, u64::MAX, 7 * GIB, u64::MAX / 2];
        let last = |rate, quota| finished(Stream { rate, quota }, &sizes).map(|all| all.into_iter().max());
        for rate in [0, 1, 100, 300, u32::MAX] {
            let mut before = None;
            for quota in [0, 1, 300, 600, 5_000, u32::MAX] {
                let stream = Stream { rate, quota };
                let Some(all) = finished(stream, &sizes) else { continue };
                assert_eq!(all.len(), sizes.len());
                for (bytes, at) in sizes.iter().zip(&all) {
                    assert!(at.0 >= stream.takes(*bytes), "{stream:?} {bytes}");
                }
                let now = last(rate, quota);
                assert!(before.is_none_or(|before| now <= before), "{stream:?}");
                before = Some(now);
            }
        }
    }
}
