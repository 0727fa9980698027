//! Who is to lead which region.

use super::{
    fault::Fault,
    kept::{holes, kept},
    meta::Meta,
};
use crate::{
    ids::{RegionId, StoreId},
    tiling::Tiling,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Faults that are told; a cluster of which more is missing is none.
const FAULTS: usize = 20;

/// One region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Version of its range.
    pub version: u64,
    /// Begin of its range, as encoded.
    pub start: Vec<u8>,
    /// End of its range, as encoded.
    pub end: Vec<u8>,
    /// Copies that were told of.
    pub copies: usize,
    /// Who is to be elected.
    pub leader: StoreId,
}

/// Regions that tile the key space, and their leaders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// By id.
    pub regions: BTreeMap<RegionId, Planned>,
    /// The largest id of stores, regions and peers: PD hands out none up to here (`facts/restore.md` §3.2).
    pub largest_id: u64,
}

impl Plan {
    /// What each store is asked to lead, stores that lead nothing included.
    pub fn leaders(&self, stores: impl IntoIterator<Item = StoreId>) -> BTreeMap<StoreId, Vec<RegionId>> {
        let mut leaders: BTreeMap<StoreId, Vec<RegionId>> =
            stores.into_iter().map(|store| (store, Vec::new())).collect();
        for (region, planned) in &self.regions {
            leaders.entry(planned.leader).or_default().push(*region);
        }
        leaders
    }

    /// To be compared with what leaders then say of their regions.
    pub fn tiling(&self) -> Tiling {
        self.regions.values().filter_map(|region| Tiling::of_region(&region.start, &region.end)).sum()
    }
}

/// What earlier rounds of elections came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elected {
    /// Leaders that there are: they stay.
    pub leads: BTreeMap<RegionId, StoreId>,
    /// Copies that were asked to lead, and did not within their time.
    pub failed: BTreeMap<RegionId, BTreeSet<StoreId>>,
}

/// The regions of the cluster that these copies are, and a leader for each: of the copies that have come furthest one whose store leads the
/// fewest so far. Such a copy need not be electable, because its store does not say who the members are, nor the term of its
/// last entry: what has failed is not asked again, and the next one is.
///
/// # Errors
/// They are no whole cluster, or no copy is left to be asked: the first twenty reasons.
pub fn plan(told: &BTreeMap<StoreId, Vec<Meta>>, elected: &Elected) -> Result<Plan, Vec<Fault>> {
    let mut faults = Vec::new();
    let copies = copies(told, &mut faults);
    let ranges = kept(copies.values().filter_map(|of_region| newest(of_region)));
    faults.extend(holes(&ranges));
    let mut load: BTreeMap<StoreId, usize> = BTreeMap::new();
    let mut regions = BTreeMap::new();
    for meta in ranges.values() {
        let Some(copies) = copies.get(&meta.region) else { continue };
        match leader(meta.region, copies, elected, &load) {
            Some(leader) => {
                *load.entry(leader).or_default() += 1;
                let (start, end) = (meta.start.clone(), meta.end.clone());
                let planned = Planned { version: meta.version, start, end, copies: copies.len(), leader };
                regions.insert(meta.region, planned);
            }
            None => faults.push(Fault::Leaderless { region: meta.region, copies: copies.len() }),
        }
    }
    if !faults.is_empty() {
        faults.truncate(FAULTS);
        return Err(faults);
    }
    Ok(Plan { regions, largest_id: largest_id(told) })
}

/// The copies of each region, the one that has come furthest first.
type Copies<'a> = BTreeMap<RegionId, Vec<(StoreId, &'a Meta)>>;

fn copies<'a>(told: &'a BTreeMap<StoreId, Vec<Meta>>, faults: &mut Vec<Fault>) -> Copies<'a> {
    let mut copies = Copies::new();
    for (store, metas) in told {
        for meta in metas {
            let of_region = copies.entry(meta.region).or_default();
            if of_region.iter().any(|(other, _)| other == store) {
                faults.push(Fault::Twice { region: meta.region, store: *store });
            } else if !meta.end.is_empty() && meta.start >= meta.end {
                faults.push(Fault::Backward { region: meta.region });
            } else {
                of_region.push((*store, meta));
            }
        }
    }
    for of_region in copies.values_mut() {
        of_region.sort_by_key(|(store, meta)| (Reverse(meta.progress()), *store));
    }
    copies
}

/// The copy whose range is true: a version rises with what is committed and applied, so the highest one that any copy shows is, also
/// where the copy that leads has yet to apply what made it.
fn newest<'a>(of_region: &[(StoreId, &'a Meta)]) -> Option<&'a Meta> {
    of_region.iter().rev().map(|(_, meta)| *meta).max_by_key(|meta| meta.version)
}

/// `None`: all have failed.
fn leader(
    region: RegionId,
    copies: &[(StoreId, &Meta)],
    elected: &Elected,
    load: &BTreeMap<StoreId, usize>,
) -> Option<StoreId> {
    if let Some(leads) = elected.leads.get(&region) {
        return Some(*leads);
    }
    let failed = |store: &StoreId| elected.failed.get(&region).is_some_and(|failed| failed.contains(store));
    let mut left = copies.iter().filter(|(store, _)| !failed(store)).peekable();
    let furthest = left.peek().map(|(_, meta)| meta.progress())?;
    let alike = left.take_while(|(_, meta)| meta.progress() == furthest).map(|(store, _)| *store);
    alike.min_by_key(|store| (load.get(store).copied().unwrap_or_default(), *store))
}

fn largest_id(told: &BTreeMap<StoreId, Vec<Meta>>) -> u64 {
    let of_metas = told.values().flatten().map(|meta| meta.region.0.max(meta.peer));
    told.keys().map(|store| store.0).chain(of_metas).max().unwrap_or_default()
}
