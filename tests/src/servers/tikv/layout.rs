//! How the key space is parted at the start.

use super::table::{Peer, Region, SafeTs};
use anyhow::Result;
use plane_actor::edge::proto::metapb::RegionEpoch;
use std::collections::BTreeMap;

/// Regions up to which tests write keys themselves.
const FEW: usize = 9_999;

/// Region `index` of `count`: an equal part of the key space, peers on up to three neighbouring stores, led by the
/// first of them. Epochs are those after the first region's splits and conf changes.
pub(super) fn new_region(
    stores: &[u64],
    index: usize,
    count: usize,
    take: &mut impl FnMut() -> Result<u64>,
) -> Result<Region> {
    let edge = |at: usize| match at {
        at if at == 0 || at == count => Vec::new(),
        // As long as the keys of a table's rows are.
        at if count > FEW => format!("t{at:08}_r{at:024}").into_bytes(),
        at => format!("t{at:04}").into_bytes(),
    };
    let on: Vec<u64> = (0..stores.len().min(3)).map(|step| stores[(index + step) % stores.len()]).collect();
    let id = take()?;
    let mut peers = BTreeMap::new();
    for store in &on {
        peers.insert(*store, Peer::new(take()?));
    }
    let conf_ver = u64::try_from(on.len())?;
    Ok(Region {
        id,
        start: edge(index),
        end: edge(index + 1),
        epoch: RegionEpoch { conf_ver, version: 2 },
        leader: on.first().copied(),
        peers,
        term: 6,
        pending_admin: false,
        safe_ts: SafeTs::Advancing,
    })
}
