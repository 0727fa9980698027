//! Grandfather, father, son: the newest backup of each of the last N periods that have one.

use super::Backup;
use crate::{
    calendar::{DAY, Date},
    cron::Zone,
};
use std::collections::BTreeMap;

/// A kind of period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Hours of the absolute time line.
    Hourly,
    /// Calendar days.
    Daily,
    /// Weeks from Monday.
    Weekly,
    /// Calendar months.
    Monthly,
    /// Calendar years.
    Yearly,
}

impl Tier {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// The word in specs and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Hourly => "tiers.hourly",
            Self::Daily => "tiers.daily",
            Self::Weekly => "tiers.weekly",
            Self::Monthly => "tiers.monthly",
            Self::Yearly => "tiers.yearly",
        }
    }

    /// A number that is the same for two moments exactly if they lie in one period, and grows with time.
    fn period(self, backup: &Backup, zone: &Zone) -> i64 {
        if self == Self::Hourly {
            return backup.created.0.div_euclid(3_600_000);
        }
        let day = zone.local_seconds(backup.created).div_euclid(DAY);
        let date = Date::of(day);
        match self {
            Self::Hourly | Self::Daily => day,
            // Day 0 is a Thursday.
            Self::Weekly => (day + 3).div_euclid(7),
            Self::Monthly => date.year * 12 + i64::from(date.month),
            Self::Yearly => date.year,
        }
    }
}

/// How many periods of each kind keep a backup; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tiers {
    counts: [u32; 5],
}

impl Tiers {
    /// Keeps a backup for each of the last `count` periods.
    pub fn set(&mut self, tier: Tier, count: u32) {
        for (slot, of) in self.counts.iter_mut().zip(Tier::ALL) {
            if of == tier {
                *slot = count;
            }
        }
    }

    /// How many periods of this kind keep a backup.
    #[must_use]
    pub fn get(&self, tier: Tier) -> u32 {
        self.counts.iter().zip(Tier::ALL).find(|(_, of)| *of == tier).map_or(0, |(count, _)| *count)
    }

    /// Which tiers keep which backup (by its place in `newest_first`). Backups without any are left out.
    pub(super) fn kept(&self, newest_first: &[&Backup], zone: &Zone) -> BTreeMap<usize, Vec<Tier>> {
        let mut kept: BTreeMap<usize, Vec<Tier>> = BTreeMap::new();
        for tier in Tier::ALL {
            let (mut left, mut last) = (self.get(tier), None);
            for (place, backup) in newest_first.iter().enumerate() {
                if left == 0 {
                    break;
                }
                let period = tier.period(backup, zone);
                // Clocks that went back make periods come again: only an older one is a new one.
                if last.is_none_or(|last| period < last) {
                    (last, left) = (Some(period), left - 1);
                    kept.entry(place).or_default().push(tier);
                }
            }
        }
        kept
    }
}
