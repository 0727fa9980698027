//! Do the regions that leaders reported cover the key space exactly once? Decided without any region list leaving its
//! plane: each plane sends Σ h(start) − Σ h(end) over the regions it leads, and the sum over all planes must be
//! h(−∞) − h(+∞).
//!
//! Why that is enough: every region is an edge from its start key to its end key, and start < end (checked before it
//! is added). Equal in- and out-degree at every inner key, one way out of −∞ and one way into +∞, leave exactly one
//! path from −∞ to +∞ plus cycles; a cycle is impossible because every edge goes up. One path without a second edge is
//! an exact tiling. With a 128-bit h, a hole or an overlap passes by chance with probability 2^−128.

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::{hash::Hasher, ops::Add};

/// Running sum of one plane or of all; wraps, because it lives in the group of integers modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tiling {
    /// High 64 bits of the sum (split, because MessagePack integers end at 64 bits).
    pub high: u64,
    /// Low 64 bits of the sum.
    pub low: u64,
}

impl Tiling {
    const fn from_sum(sum: u128) -> Self {
        Self { high: (sum >> 64) as u64, low: sum as u64 }
    }
    const fn sum(self) -> u128 {
        ((self.high as u128) << 64) | self.low as u128
    }

    /// The contribution of one region. `None` if start does not lie before end: such a region tiles nothing and must
    /// be refused. An empty start is −∞, an empty end +∞.
    pub fn of_region(start: &[u8], end: &[u8]) -> Option<Tiling> {
        if !end.is_empty() && start >= end {
            return None;
        }
        Some(Self::from_sum(hash(Edge::Start(start)).wrapping_sub(hash(Edge::End(end)))))
    }

    /// What an exact tiling of the whole key space adds up to.
    pub fn whole() -> Tiling {
        Self::from_sum(hash(Edge::Start(b"")).wrapping_sub(hash(Edge::End(b""))))
    }

    /// True if the sum is that of an exact tiling.
    pub fn is_whole(self) -> bool {
        self == Self::whole()
    }
}

impl Add for Tiling {
    type Output = Tiling;
    fn add(self, other: Tiling) -> Tiling {
        Self::from_sum(self.sum().wrapping_add(other.sum()))
    }
}

impl std::iter::Sum for Tiling {
    fn sum<I: Iterator<Item = Tiling>>(items: I) -> Tiling {
        items.fold(Tiling::default(), Add::add)
    }
}

enum Edge<'a> {
    Start(&'a [u8]),
    End(&'a [u8]),
}

/// −∞ and +∞ are both written as the empty key, so they need values of their own; an inner key hashes alike as start
/// and as end, or nothing would cancel.
fn hash(edge: Edge<'_>) -> u128 {
    let (tag, key): (u8, &[u8]) = match edge {
        Edge::Start(b"") => (0, b""),
        Edge::End(b"") => (2, b""),
        Edge::Start(key) | Edge::End(key) => (1, key),
    };
    let mut hasher = SipHasher24::new_with_keys(0x6973_6f63_6872_6f6e, 0x7469_6c69_6e67_2f31);
    hasher.write_u8(tag);
    hasher.write(key);
    hasher.finish128().as_u128()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(regions: &[(&[u8], &[u8])]) -> Tiling {
        regions.iter().map(|(s, e)| Tiling::of_region(s, e).unwrap()).sum()
    }

    #[test]
    fn one_region_is_the_whole() {
        assert!(sum(&[(b"", b"")]).is_whole());
    }

    #[test]
    fn a_hole_an_overlap_and_a_double_are_seen() {
        assert!(sum(&[(b"", b"g"), (b"g", b"p"), (b"p", b"")]).is_whole());
        assert!(!sum(&[(b"", b"g"), (b"p", b"")]).is_whole(), "hole");
        assert!(!sum(&[(b"", b"h"), (b"g", b"")]).is_whole(), "overlap");
        assert!(!sum(&[(b"", b"g"), (b"g", b"p"), (b"g", b"p"), (b"p", b"")]).is_whole(), "double");
        assert!(!sum(&[(b"", b""), (b"", b"")]).is_whole(), "twice everything");
        assert!(!Tiling::default().is_whole(), "nothing");
    }

    #[test]
    fn an_upside_down_region_is_refused() {
        assert_eq!(Tiling::of_region(b"b", b"a"), None);
        assert_eq!(Tiling::of_region(b"a", b"a"), None);
        assert!(Tiling::of_region(b"a", b"").is_some());
    }

    /// Planes of two versions add up one sum: another hash, or a sum of half as many bits, would find holes everywhere.
    #[test]
    fn the_numbers_are_those_of_every_version() {
        assert_eq!(Tiling::whole(), Tiling { high: 0x941c_932d_e3a2_5080, low: 0x5408_2044_79e2_eecd });
        let inner = Tiling { high: 0x2923_c0d6_f3d5_deaf, low: 0xc167_bf2c_3557_bb99 };
        assert_eq!(Tiling::of_region(b"g", b"p"), Some(inner));
        let half = Tiling { high: 1 << 63, low: 1 << 63 };
        assert_eq!(half + half, Tiling { high: 1, low: 0 }, "it carries, and wraps");
    }

    proptest! {
        #[test]
        fn any_cut_of_the_key_space_spread_over_planes_is_whole(
            cuts in proptest::collection::btree_set(proptest::collection::vec(any::<u8>(), 1..6), 0..40),
            lost in any::<proptest::sample::Index>(),
        ) {
            let mut keys: Vec<Vec<u8>> = vec![vec![]];
            keys.extend(cuts);
            let mut regions: Vec<(Vec<u8>, Vec<u8>)> = keys.windows(2).map(|w| (w[0].clone(), w[1].clone())).collect();
            regions.push((keys.last().cloned().unwrap_or_default(), vec![]));
            let all: Tiling = regions.iter().map(|(s, e)| Tiling::of_region(s, e).unwrap()).sum();
            prop_assert!(all.is_whole());
            regions.remove(lost.index(regions.len()));
            let less: Tiling = regions.iter().map(|(s, e)| Tiling::of_region(s, e).unwrap()).sum();
            prop_assert!(!less.is_whole());
        }
    }
}
