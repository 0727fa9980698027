//! What leaders said of their `safe_ts`, per region and version. A statement about a key range at a version holds for
//! ever, whoever leads (`facts/pd-tikv.md` §6.4); another number or version has to be asked anew.

use super::coverage::RegionAt;
use crate::{
    ids::{RegionId, StoreId},
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc};

type Said = (RegionId, u64, Ts);

/// What one store said. A plane may lead millions of regions, so this is a list of three numbers each, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SafeTimes(Vec<Said>);

impl SafeTimes {
    /// What was said of this region at this version.
    pub fn of(&self, at: &RegionAt) -> Option<Ts> {
        let key = (at.region, at.version);
        let found = self.0.binary_search_by_key(&key, |(region, version, _)| (*region, *version)).ok()?;
        self.0.get(found).map(|(_, _, ts)| *ts)
    }

    /// Takes over everything that another one knows. Asked twice, the older statement is kept: both are true, the lower
    /// one is careful.
    pub fn merge(&mut self, other: SafeTimes) {
        if self.0.is_empty() {
            self.0 = other.0;
        } else if !other.0.is_empty() {
            // Few come late, so they find room at the end, and the list is nearly in order.
            self.0.extend(other.0);
            self.order();
        }
    }

    /// Forgets what is not enough any more, so that it is asked anew.
    pub fn retain(&mut self, enough: impl Fn(Ts) -> bool) {
        self.0.retain(|(_, _, ts)| enough(*ts));
    }

    fn order(&mut self) {
        self.0.sort();
        self.0.dedup_by(|later, kept| later.0 == kept.0 && later.1 == kept.1);
    }

    /// Regions known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least of all; `None` when nothing is known.
    pub fn least(&self) -> Option<Ts> {
        self.0.iter().map(|(_, _, ts)| *ts).min()
    }
}

impl FromIterator<(RegionAt, Ts)> for SafeTimes {
    fn from_iter<I: IntoIterator<Item = (RegionAt, Ts)>>(said: I) -> Self {
        let mut times = Self(said.into_iter().map(|(at, ts)| (at.region, at.version, ts)).collect());
        times.order();
        times
    }
}

/// What all stores of a plane said, by store: each piece is made once and shared from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaneTimes(BTreeMap<StoreId, Arc<SafeTimes>>);

impl PlaneTimes {
    /// What any other store than this one said of the region.
    pub fn elsewhere(&self, store: StoreId, at: &RegionAt) -> Option<Ts> {
        self.0.iter().filter(|(other, _)| **other != store).find_map(|(_, times)| times.of(at))
    }

    /// What this store said.
    pub fn by(&self, store: StoreId) -> Arc<SafeTimes> {
        self.0.get(&store).cloned().unwrap_or_default()
    }

    /// In place of what this store had said before.
    pub fn put(&mut self, store: StoreId, times: Arc<SafeTimes>) {
        self.0.insert(store, times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: u64, version: u64) -> RegionAt {
        RegionAt { region: RegionId(region), conf_ver: 1, version }
    }

    fn times(said: &[(u64, u64, u64)]) -> SafeTimes {
        said.iter().map(|(region, version, ts)| (at(*region, *version), Ts(*ts))).collect()
    }

    #[test]
    fn a_word_is_kept_per_region_and_version_and_the_lower_of_two_counts() {
        let mut known = times(&[(7, 2, 50), (3, 1, 40), (7, 1, 60), (3, 1, 45)]);
        assert_eq!((known.len(), known.least()), (3, Some(Ts(40))));
        assert_eq!((known.of(&at(7, 1)), known.of(&at(7, 2)), known.of(&at(7, 3))), (Some(Ts(60)), Some(Ts(50)), None));
        known.merge(times(&[(7, 2, 70), (1, 1, 80), (7, 1, 55)]));
        assert_eq!(
            (known.of(&at(7, 2)), known.of(&at(7, 1)), known.of(&at(1, 1))),
            (Some(Ts(50)), Some(Ts(55)), Some(Ts(80)))
        );
        known.retain(|ts| ts > Ts(50));
        assert_eq!(known, times(&[(1, 1, 80), (7, 1, 55)]), "what was too old can be said anew");
    }

    #[test]
    fn a_word_holds_whoever_leads() {
        let mut plane = PlaneTimes::default();
        plane.put(StoreId(1), Arc::new(times(&[(7, 1, 50)])));
        plane.put(StoreId(2), Arc::new(times(&[(8, 1, 60)])));
        assert_eq!(
            (plane.elsewhere(StoreId(2), &at(7, 1)), plane.elsewhere(StoreId(1), &at(7, 1))),
            (Some(Ts(50)), None)
        );
        assert_eq!((plane.elsewhere(StoreId(3), &at(8, 2)), plane.by(StoreId(3)).len()), (None, 0));
    }
}
