//! What can be started from a cut: stores put together from their two volumes, and the regions found on them, as the
//! restore tooling finds them (`facts/pd-tikv.md` §5.5, last row: per region, the peer with the most advanced log).

use super::{
    apply::{apply, apply_committed},
    image::{Cut, Half, StoreImage},
    kv::Rows,
    lead::lead,
    peer::{Descriptor, Peer},
};
use shared::ids::{RegionId, StoreId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One copy of a region after its store was started: what was committed when it was cut is applied.
pub(crate) struct Copy {
    pub(crate) store: StoreId,
    pub(crate) peer: Peer,
    /// Rows after all of its log, also what was not known to be committed: raft will commit it again.
    pub(crate) rows: Rows,
    /// Ingests in its log or applied.
    pub(crate) files: BTreeSet<u64>,
}

/// A region that a majority of its members holds.
pub(crate) struct FoundRegion {
    /// At the highest epoch among its copies.
    pub(crate) region: Descriptor,
    /// Members only, who leads in front; where nobody does, the most advanced log.
    pub(crate) copies: Vec<Copy>,
}

pub(crate) struct Found {
    pub(crate) regions: BTreeMap<RegionId, FoundRegion>,
    pub(crate) stores: BTreeMap<StoreId, Arc<StoreImage>>,
    /// Who leads each region after the elections that the product's own plan asks for; or why it has no plan.
    pub(crate) led: Result<BTreeMap<RegionId, StoreId>, String>,
    pub(crate) faults: Vec<String>,
}

/// Starts every store of a cut and looks what regions there are.
pub(crate) fn find(cut: &Cut) -> Found {
    let mut faults = Vec::new();
    let mut stores = BTreeMap::new();
    let mut started = BTreeMap::new();
    let ids: BTreeSet<StoreId> = cut.volumes.iter().map(|volume| volume.image.store).collect();
    for store in ids {
        let Some(image) = join(cut, store, &mut faults) else { continue };
        started.insert(store, start(&image));
        stores.insert(store, image);
    }
    let led = lead(&started);
    let mut copies: BTreeMap<RegionId, Vec<Copy>> = BTreeMap::new();
    for (store, peers) in started {
        for (id, peer) in peers {
            let (rows, files) = replay(id, &peer);
            copies.entry(id).or_default().push(Copy { store, peer, rows, files });
        }
    }
    let mut regions = BTreeMap::new();
    for (id, all) in copies {
        let Some(region) =
            all.iter().map(|copy| &copy.peer.region).max_by_key(|region| (region.version, region.conf_ver)).cloned()
        else {
            continue;
        };
        let mut copies: Vec<Copy> = all.into_iter().filter(|copy| region.peers.contains(&copy.store)).collect();
        // Fewer copies than a majority: the left-over of a merge or of a move. If it was needed, a hole shows.
        if copies.len() >= region.majority() {
            let leads = |copy: &Copy| led.as_ref().is_ok_and(|led| led.get(&id) == Some(&copy.store));
            let progress = |copy: &Copy| (copy.peer.term(), copy.peer.last(), copy.peer.applied);
            copies.sort_by_key(|copy| std::cmp::Reverse((leads(copy), progress(copy))));
            regions.insert(id, FoundRegion { region, copies });
        }
    }
    Found { regions, stores, led, faults }
}

/// A store from its data and its raft volume. Both are of one moment unless the calls were not.
fn join(cut: &Cut, store: StoreId, faults: &mut Vec<String>) -> Option<Arc<StoreImage>> {
    let volumes: Vec<_> = cut.volumes.iter().filter(|volume| volume.image.store == store).collect();
    let halves: Vec<_> = volumes.iter().map(|volume| (volume.half, &volume.image)).collect();
    join_halves(store, &halves, faults)
}

/// The same of volumes that are said to be this store's.
pub(crate) fn join_halves(
    store: StoreId,
    volumes: &[(Half, &Arc<StoreImage>)],
    faults: &mut Vec<String>,
) -> Option<Arc<StoreImage>> {
    let half = |half: Half| {
        let holds = |held: Half| held == half || held == Half::Whole && half != Half::Titan;
        volumes.iter().find(|(held, _)| holds(*held)).map(|(_, image)| *image)
    };
    let (Some(data), Some(raft)) = (half(Half::Data), half(Half::Raft)) else {
        faults.push(format!("store {store}: one of its two volumes has no snapshot"));
        return None;
    };
    if data.titan_apart && half(Half::Titan).is_none_or(|titan| !Arc::ptr_eq(titan, data)) {
        faults.push(format!("store {store}: the volume of its large values has no snapshot of the same moment"));
        return None;
    }
    if Arc::ptr_eq(data, raft) {
        return Some(Arc::clone(data));
    }
    let mut image = StoreImage::clone(data);
    for (id, peer) in &mut image.peers {
        match raft.peers.get(id) {
            Some(other) if other.last() >= peer.applied && other.first <= peer.applied + 1 => {
                (peer.first, peer.log) = (other.first, other.log.clone());
            }
            _ => faults.push(format!("store {store}: raft volume does not fit the data volume in region {id}")),
        }
    }
    image.commits.clone_from(&raft.commits);
    Some(Arc::new(image))
}

/// What a restart does by itself.
fn start(image: &StoreImage) -> BTreeMap<RegionId, Peer> {
    let mut peers = image.peers.clone();
    apply_committed(&mut peers, &image.commits);
    peers
}

/// The rows of one copy after its whole log. A split in there leaves two parts, which are one again here: ranges are
/// judged as they were applied, rows as they will be.
fn replay(id: RegionId, peer: &Peer) -> (Rows, BTreeSet<u64>) {
    let mut alone = BTreeMap::from([(id, peer.clone())]);
    for entry in peer.after(peer.applied) {
        apply(&mut alone, id, entry);
    }
    let (mut rows, mut files) = (Rows::new(), BTreeSet::new());
    for part in alone.into_values() {
        rows.extend(part.rows);
        files.extend(part.ingested);
    }
    (rows, files)
}

impl Found {
    /// Do the regions found cover the key space exactly once?
    pub(crate) fn tiling_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut ranges: Vec<(&Descriptor, RegionId)> =
            self.regions.iter().map(|(id, found)| (&found.region, *id)).collect();
        ranges.sort_by(|a, b| a.0.start.cmp(&b.0.start));
        let mut reached: Option<&[u8]> = Some(b"");
        let show = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        for (region, id) in ranges {
            match reached {
                Some(key) if key == region.start.as_slice() => {}
                Some(key) if key < region.start.as_slice() => {
                    faults.push(format!("hole from '{}' to '{}'", show(key), show(&region.start)));
                }
                _ => faults.push(format!("region {id} overlaps what lies before '{}'", show(&region.start))),
            }
            let end = (!region.end.is_empty()).then_some(region.end.as_slice());
            reached = match (reached, end) {
                (Some(key), Some(end)) => Some(key.max(end)),
                _ => None,
            };
        }
        if let Some(key) = reached {
            faults.push(format!("hole from '{}' to the end", show(key)));
        }
        faults
    }

    /// Whatever is sound is recovered by the product's plan: the same regions.
    pub(crate) fn recovery_faults(&self) -> Vec<String> {
        let led = match &self.led {
            Ok(led) => led,
            Err(why) => return vec![format!("the plan of recovery: {why}")],
        };
        let mut faults = Vec::new();
        if !led.keys().eq(self.regions.keys()) {
            faults.push(format!("the plan of recovery has the regions {:?}", led.keys().collect::<Vec<_>>()));
        }
        faults
    }

    /// A region's members must agree on what it is: a majority at its highest epoch.
    pub(crate) fn epoch_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (id, found) in &self.regions {
            let epoch = |region: &Descriptor| (region.conf_ver, region.version);
            let at = |copy: &&Copy| epoch(&copy.peer.region) == epoch(&found.region);
            if found.copies.iter().filter(at).count() < found.region.majority() {
                let seen: Vec<String> = found
                    .copies
                    .iter()
                    .map(|copy| format!("store {}: {:?}", copy.store, epoch(&copy.peer.region)))
                    .collect();
                faults.push(format!("region {id} has no majority at one epoch ({})", seen.join(", ")));
            }
        }
        faults
    }
}
