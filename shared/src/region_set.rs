//! Are these the same regions at the same epochs? Decided, like [`crate::tiling`], by a sum that no region list has to
//! leave its plane for: Σ h(id, epoch, keys) over every region that a leader reports. The sum does not depend on who
//! leads, so that an election between two readings changes nothing, and equal sums mean equal sets but for a chance of
//! 2^−128.

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::{hash::Hasher, ops::Add};

/// Running sum of one plane or of all, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RegionSet {
    /// High 64 bits of the sum (split, because MessagePack integers end at 64 bits).
    pub high: u64,
    /// Low 64 bits of the sum.
    pub low: u64,
}

impl RegionSet {
    const fn from_sum(sum: u128) -> Self {
        Self { high: (sum >> 64) as u64, low: sum as u64 }
    }

    const fn sum(self) -> u128 {
        ((self.high as u128) << 64) | self.low as u128
    }

    /// The contribution of one region: its number, `conf_ver`, `version`, and its keys.
    pub fn of_region(region: u64, conf_ver: u64, version: u64, start: &[u8], end: &[u8]) -> Self {
        let mut hasher = SipHasher24::new_with_keys(0x6973_6f63_6872_6f6e, 0x7265_6769_6f6e_732f);
        for number in [region, conf_ver, version, start.len() as u64] {
            hasher.write(&number.to_le_bytes());
        }
        hasher.write(start);
        hasher.write(end);
        Self::from_sum(hasher.finish128().as_u128())
    }

    /// No region.
    pub fn is_empty(&self) -> bool {
        self.sum() == 0
    }
}

impl Add for RegionSet {
    type Output = RegionSet;
    fn add(self, other: RegionSet) -> RegionSet {
        Self::from_sum(self.sum().wrapping_add(other.sum()))
    }
}

impl std::iter::Sum for RegionSet {
    fn sum<I: Iterator<Item = RegionSet>>(items: I) -> RegionSet {
        items.fold(RegionSet::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::RegionSet;

    #[test]
    fn order_does_not_matter_and_every_part_does() {
        let of = RegionSet::of_region;
        let (a, b) = (of(1, 2, 3, b"", b"m"), of(2, 2, 3, b"m", b""));
        assert_eq!(a + b, [b, a].into_iter().sum());
        let others = [of(9, 2, 3, b"", b"m"), of(1, 9, 3, b"", b"m"), of(1, 2, 9, b"", b"m"), of(1, 2, 3, b"m", b"")];
        assert!(others.iter().all(|other| *other != a));
        assert!(RegionSet::default().is_empty() && !a.is_empty());
    }
    /// Planes of two versions add up one sum: another hash, or a sum of half as many bits, would find every set changed.
    #[test]
    fn the_numbers_are_those_of_every_version() {
        let region = RegionSet::of_region(1, 2, 3, b"g", b"p");
        assert_eq!(region, RegionSet { high: 0xe1fe_79f2_6937_0c92, low: 0x965b_4833_eb0d_dca8 });
        let half = RegionSet { high: 1 << 63, low: 1 << 63 };
        assert_eq!(half + half, RegionSet { high: 1, low: 0 }, "it carries, and wraps");
        assert!(!RegionSet { high: 1, low: 0 }.is_empty() && !RegionSet { high: 0, low: 1 }.is_empty());
    }
}
