#![allow(clippy::unwrap_used)]
use super::*;
use crate::ids::{RegionId, StoreId};
use std::collections::{BTreeMap, BTreeSet};

/// A copy: region, version, range, then how far it has come.
fn meta(region: u64, version: u64, (start, end): (&str, &str), (term, last_index): (u64, u64)) -> Meta {
    let (start, end) = (start.as_bytes().to_vec(), end.as_bytes().to_vec());
    Meta { region: RegionId(region), peer: region + 100, term, last_index, version, start, end }
}

fn told(of: &[(u64, Vec<Meta>)]) -> BTreeMap<StoreId, Vec<Meta>> {
    of.iter().map(|(store, metas)| (StoreId(*store), metas.clone())).collect()
}

fn planned(of: &[(u64, Vec<Meta>)]) -> Result<Plan, Vec<String>> {
    let plan = plan(&told(of), &Elected::default());
    plan.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn leader(plan: &Plan, region: u64) -> u64 {
    plan.regions[&RegionId(region)].leader.0
}

/// Both halves of the key space, each with this progress on the stores 1 to 3.
fn halves(left: [(u64, u64); 3], right: [(u64, u64); 3]) -> Vec<(u64, Vec<Meta>)> {
    let of = |store: usize| vec![meta(10, 1, ("", "m"), left[store]), meta(20, 1, ("m", ""), right[store])];
    (0..3).map(|store| (store as u64 + 1, of(store))).collect()
}

#[test]
fn the_copy_that_has_come_furthest_leads() {
    let plan = planned(&halves([(5, 9), (5, 10), (4, 99)], [(7, 1), (6, 8), (6, 9)])).unwrap();
    assert_eq!((leader(&plan, 10), leader(&plan, 20)), (2, 1));
    assert!(plan.tiling().is_whole());
    assert_eq!(plan.largest_id, 120);
}

#[test]
fn of_copies_alike_the_store_leads_that_leads_the_fewest() {
    let plan = planned(&halves([(5, 9); 3], [(5, 9), (5, 9), (5, 8)])).unwrap();
    assert_eq!((leader(&plan, 10), leader(&plan, 20)), (1, 2));
    let leaders = plan.leaders([1, 2, 3].map(StoreId));
    assert_eq!(leaders[&StoreId(3)], [], "who leads nothing is asked, too: the call ends its elections");
    assert_eq!((&leaders[&StoreId(1)], &leaders[&StoreId(2)]), (&vec![RegionId(10)], &vec![RegionId(20)]));
}

#[test]
fn what_was_merged_away_or_left_behind_is_no_part() {
    // 30 was merged into 10, whose version rose; a store that was away kept it. 40 is a copy from before a split.
    let all = [
        (1, vec![meta(10, 3, ("", "m"), (5, 9)), meta(20, 3, ("m", ""), (5, 9))]),
        (2, vec![meta(10, 3, ("", "m"), (5, 9)), meta(30, 2, ("f", "m"), (9, 9))]),
        (3, vec![meta(20, 3, ("m", ""), (5, 9)), meta(40, 1, ("", ""), (9, 99))]),
    ];
    let plan = planned(&all).unwrap();
    assert_eq!(plan.regions.keys().map(|region| region.0).collect::<Vec<_>>(), [10, 20]);
    assert_eq!(plan.largest_id, 140, "its ids were handed out all the same");
}

/// A follower took a split into its log and had not applied it; an election that nobody won raised its term.
#[test]
fn a_range_is_the_newest_that_any_copy_shows_whoever_leads() {
    let all = [
        (1, vec![meta(10, 1, ("", ""), (6, 9))]),
        (2, vec![meta(10, 2, ("m", ""), (5, 9)), meta(20, 2, ("", "m"), (5, 6))]),
    ];
    let plan = planned(&all).unwrap();
    assert_eq!((leader(&plan, 10), leader(&plan, 20)), (1, 2));
    assert_eq!(plan.regions[&RegionId(10)].start, b"m");
    assert!(plan.tiling().is_whole());
}

#[test]
fn keys_that_nobody_has_are_named_at_both_ends_too() {
    type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);
    let table: [Row; 5] = [
        (&[], &["no region holds the keys from the end of the key space to the end of the key space"]),
        (&[("", "b")], &["no region holds the keys from 62 to the end of the key space"]),
        (&[("b", "")], &["no region holds the keys from the end of the key space to 62"]),
        (&[("", "b"), ("c", "")], &["no region holds the keys from 62 to 63"]),
        (&[("", "b"), ("b", "c"), ("c", "")], &[]),
    ];
    for (ranges, faults) in table {
        let metas = (1..).zip(ranges).map(|(region, range)| meta(region, 1, *range, (1, 1))).collect();
        let of = planned(&[(1, metas)]);
        assert_eq!(of.err().unwrap_or_default(), faults, "{ranges:?}");
    }
}

#[test]
fn what_cannot_be_is_a_fault() {
    let backward = planned(&[(1, vec![meta(1, 1, ("b", "a"), (1, 1)), meta(2, 1, ("", ""), (1, 1))])]);
    assert_eq!(backward.unwrap_err(), ["region 1 ends where it begins, or before"]);
    let twice = planned(&[(1, vec![meta(1, 1, ("", ""), (1, 1)), meta(1, 1, ("", ""), (1, 2))])]);
    assert_eq!(twice.unwrap_err(), ["store 1 has told of region 1 twice"]);
}

#[test]
fn who_was_not_elected_is_not_asked_again_and_who_leads_stays() {
    let told = told(&halves([(6, 9), (5, 10), (5, 10)], [(5, 9); 3]));
    let mut elected = Elected { leads: BTreeMap::from([(RegionId(20), StoreId(3))]), failed: BTreeMap::new() };
    for expected in [1, 2, 3] {
        let plan = plan(&told, &elected).unwrap();
        assert_eq!((leader(&plan, 10), leader(&plan, 20)), (expected, 3));
        elected.failed.entry(RegionId(10)).or_default().insert(StoreId(expected));
    }
    let none = plan(&told, &elected).unwrap_err();
    assert_eq!(none, [Fault::Leaderless { region: RegionId(10), copies: 3 }]);
}

#[test]
fn faults_are_bounded() {
    let metas = (0..200).map(|n| meta(n, 1, (&format!("k{:03}", 2 * n), &format!("k{:03}", 2 * n + 1)), (1, 1)));
    assert_eq!(planned(&[(1, metas.collect())]).unwrap_err().len(), 20);
}

/// Small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// A cluster that was split at random, with copies that lag and copies from before: the plan is what it was, whatever
/// the order in which stores are heard.
#[test]
fn a_whole_cluster_is_found_again() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let (stores, count) = (3 + random.below(4), 1 + random.below(30));
        let bounds: Vec<String> = (1..count).map(|n| format!("k{n:02}")).collect();
        let mut of: BTreeMap<StoreId, Vec<Meta>> =
            (1..=stores as u64).map(|store| (StoreId(store), Vec::new())).collect();
        let mut expected = BTreeMap::new();
        for region in 0..count {
            let start = if region == 0 { "" } else { &bounds[region - 1] };
            let end = bounds.get(region).map_or("", String::as_str);
            let (version, last) = (10 + random.below(5) as u64, 50 + random.below(9) as u64);
            let first = random.below(stores);
            let mut furthest = BTreeSet::new();
            for copy in 0..3 {
                let store = StoreId(((first + copy) % stores) as u64 + 1);
                // The first one is whole, the others may lag.
                let lag = if copy == 0 { 0 } else { random.below(3) as u64 };
                if lag == 0 {
                    furthest.insert(store);
                }
                of.get_mut(&store).unwrap().push(meta(region as u64, version, (start, end), (7, last - lag)));
            }
            expected.insert(RegionId(region as u64), (version, furthest));
            if stores > 3 && random.below(3) == 0 {
                // A copy that was moved away before a split, and never destroyed.
                let store = StoreId(((first + 3) % stores) as u64 + 1);
                of.get_mut(&store).unwrap().push(meta(1000 + region as u64, 3, (start, ""), (9, 90)));
            }
        }
        let found = plan(&of, &Elected::default()).unwrap_or_else(|faults| panic!("{seed}: {faults:?}"));
        assert!(found.tiling().is_whole(), "{seed}");
        assert_eq!(found.regions.len(), count, "{seed}");
        for (region, (version, furthest)) in expected {
            let planned = &found.regions[&region];
            assert_eq!((planned.version, planned.copies), (version, 3), "{seed}");
            assert!(furthest.contains(&planned.leader), "{seed}: {planned:?}");
        }
    }
}
