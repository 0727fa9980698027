//! What volumes cost. Whole numbers, so that parts add up to the sum.

use crate::wire::VolumeKind;
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    fmt,
    iter::Sum,
    ops::{Add, Mul},
};

const GIB: u128 = 1 << 30;
/// Volumes are billed by the second; a month has thirty days (`facts/restore.md` §5.2).
const HOURS_OF_A_MONTH: u128 = 720;

/// Thousand-millionths of a currency's unit; it saturates at eighteen thousand million units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nano(pub u64);

impl Nano {
    fn of(number: u128) -> Self {
        Self(u64::try_from(number).unwrap_or(u64::MAX))
    }

    /// So much of a month of which this is the price.
    #[must_use]
    pub fn for_hours(self, hours: u32) -> Self {
        Self::of(u128::from(self.0) * u128::from(hours) / HOURS_OF_A_MONTH)
    }

    /// As a person writes a price; what is no price is none.
    #[must_use]
    pub fn from_units(units: f64) -> Option<Self> {
        let nano = (units * 1e9).round();
        // A float of that size has no fraction to lose, and saturates.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (nano.is_finite() && nano >= 0.0).then_some(Self(nano as u64))
    }
}

impl Add for Nano {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Nano {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Add::add)
    }
}

impl Mul<u64> for Nano {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// Two to four decimals: a drill may cost less than a hundredth.
impl fmt::Display for Nano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = u128::from(self.0).saturating_add(50_000) / 100_000;
        let (units, rest) = (rounded / 10_000, rounded % 10_000);
        if rest % 100 == 0 { write!(f, "{units}.{:02}", rest / 100) } else { write!(f, "{units}.{rest:04}") }
    }
}

impl Serialize for Nano {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Of one type of volume, for a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindPrice {
    /// A GiB.
    pub gib: Nano,
    /// One of the IOPS above those that are free.
    pub iops: Nano,
    /// Those that are free.
    pub free_iops: u32,
    /// A MiB/s above those that are free.
    pub throughput: Nano,
    /// Those that are free.
    pub free_throughput: u32,
}

/// Of a Region and a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// By EC2's word for the type.
    pub kinds: BTreeMap<String, KindPrice>,
    /// A GiB of data that is initialised at one MiB/s; at 300 it is 300 times as much. `None`: nobody has said.
    pub initialization: Option<Nano>,
}

impl Prices {
    /// Of one volume for a month; `None`: the type has no price.
    pub(super) fn month(&self, kind: &VolumeKind, gib: u64) -> Option<Nano> {
        let price = self.kinds.get(&kind.name)?;
        let above = |asked: Option<u32>, free: u32| u64::from(asked.unwrap_or_default().saturating_sub(free));
        let speed = price.iops * above(kind.iops, price.free_iops);
        Some(price.gib * gib + speed + price.throughput * above(kind.throughput, price.free_throughput))
    }

    /// Of one volume's initialisation, which is by the data and not by the volume. Without a rate it costs nothing.
    pub(super) fn initialization(&self, bytes: u64, rate: Option<u32>) -> Option<Nano> {
        let Some(rate) = rate else { return Some(Nano(0)) };
        let price = u128::from(self.initialization?.0);
        Some(Nano::of(u128::from(bytes).saturating_mul(u128::from(rate)).saturating_mul(price) / GIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gp3() -> Prices {
        let price = |units| Nano::from_units(units).expect("a price");
        let gp3 = KindPrice {
            gib: price(0.08),
            iops: price(0.005),
            free_iops: 3_000,
            throughput: price(0.04),
            free_throughput: 125,
        };
        Prices { kinds: BTreeMap::from([("gp3".to_owned(), gp3)]), initialization: Some(price(0.000_01)) }
    }

    fn kind(name: &str, iops: Option<u32>, throughput: Option<u32>) -> VolumeKind {
        VolumeKind { name: name.to_owned(), iops, throughput }
    }

    #[test]
    fn a_volume_costs_its_size_and_what_is_above_what_is_free() {
        let of = |iops, throughput| gp3().month(&kind("gp3", iops, throughput), 1000).map(|nano| nano.to_string());
        assert_eq!(of(None, None).as_deref(), Some("80.00"));
        assert_eq!(of(Some(3_000), Some(125)).as_deref(), Some("80.00"));
        assert_eq!(of(Some(4_000), Some(225)).as_deref(), Some("89.00"));
        assert_eq!(gp3().month(&kind("io2", Some(100), None), 1), None, "no price is not for nothing");
    }

    #[test]
    fn initialisation_is_paid_by_data_and_rate() {
        let of = |bytes, rate| gp3().initialization(bytes, rate).map(|nano| nano.to_string());
        assert_eq!(of(1 << 40, None).as_deref(), Some("0.00"));
        assert_eq!(of(1 << 40, Some(100)).as_deref(), Some("1.0240"));
        assert_eq!(of(1 << 40, Some(300)).as_deref(), Some("3.0720"));
        assert_eq!(Prices::default().initialization(1, Some(100)), None);
    }

    #[test]
    fn parts_of_a_month_and_the_ends_of_numbers() {
        assert_eq!(Nano::from_units(720.0).map(|month| month.for_hours(3)), Nano::from_units(3.0));
        assert_eq!(Nano(u64::MAX).for_hours(u32::MAX), Nano(u64::MAX));
        assert_eq!(Nano(u64::MAX) * 2 + Nano(1), Nano(u64::MAX));
        assert_eq!([Nano(u64::MAX), Nano(u64::MAX)].into_iter().sum::<Nano>(), Nano(u64::MAX));
        assert_eq!(gp3().initialization(u64::MAX, Some(u32::MAX)), Some(Nano(u64::MAX)));
        assert_eq!((Nano::from_units(f64::NAN), Nano::from_units(-0.1)), (None, None));
        assert_eq!(Nano::from_units(1e20), Some(Nano(u64::MAX)));
        let shown = [0, 49_999, 50_000, 2_500_000, 10_000_000, 1_999_999_999].map(|nano| Nano(nano).to_string());
        assert_eq!(shown, ["0.00", "0.00", "0.0001", "0.0025", "0.01", "2.00"]);
    }
}
