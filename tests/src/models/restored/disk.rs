//! What lies on the volumes of one store: everything of a TiKV that outlives its process.

use crate::models::regions::{
    apply::{Peers, apply_committed},
    peer::Peer,
    vote::hard_term,
};
use shared::{
    ids::{ClusterId, RegionId, StoreId},
    ts::Ts,
};
use std::collections::BTreeMap;

/// TiKV's StoreIdent: on the data volume, written once, but for the cluster id under PD's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// Which TiDB cluster it belongs to.
    pub cluster: ClusterId,
    /// Which store it is, wherever it runs.
    pub store: StoreId,
}

/// Beside a copy's rows and log: what raft and the region's own state keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Of the last election that this copy took part in.
    pub(crate) hard_term: u64,
    /// start_ts of the flashback that the region is in.
    pub(crate) flashback: Option<Ts>,
}

/// One store. Copies that were destroyed are tombstones, which nobody is told of, so they are not here at all.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Whose it is.
    pub ident: Ident,
    pub(crate) peers: Peers,
    pub(crate) kept: BTreeMap<RegionId, Kept>,
}

impl Disk {
    /// As an image of a running store has it; `commits`: what was known to be committed, which a start applies.
    pub(crate) fn of_image(ident: Ident, mut peers: Peers, commits: &BTreeMap<RegionId, u64>) -> Self {
        let hard_terms: BTreeMap<RegionId, u64> =
            peers.iter().map(|(id, peer)| (*id, hard_term(ident.store, id.0, peer))).collect();
        apply_committed(&mut peers, commits);
        let mut disk = Self { ident, peers, kept: BTreeMap::new() };
        for (region, hard_term) in hard_terms {
            disk.kept_mut(region).hard_term = hard_term;
        }
        disk
    }

    /// One that TiKV has made on volumes that were empty.
    pub(crate) fn empty(ident: Ident) -> Self {
        Self { ident, peers: Peers::new(), kept: BTreeMap::new() }
    }

    pub(crate) fn kept(&self, region: RegionId) -> Kept {
        let of_log = || self.peers.get(&region).map_or(0, Peer::term);
        self.kept.get(&region).copied().unwrap_or_else(|| Kept { hard_term: of_log(), flashback: None })
    }

    pub(crate) fn kept_mut(&mut self, region: RegionId) -> &mut Kept {
        let kept = self.kept(region);
        self.kept.entry(region).or_insert(kept)
    }

    /// The copy, whole, as a raft snapshot or the log would bring it.
    pub(crate) fn take_over(&mut self, region: RegionId, peer: Peer, kept: Kept) {
        self.peers.insert(region, peer);
        self.kept.insert(region, kept);
    }
}
