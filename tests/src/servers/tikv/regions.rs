//! What tests do to regions: elections, splits, slow applies. Commands that leases reject are rejected here too
//! (`facts/pd-tikv.md` §2.2).

use super::{
    cluster::TikvCluster,
    pd::Leader,
    table::{Peer, Region, RegionView, SafeTs, Suspended},
};
use anyhow::{Context, Result};
use shared::{ids::StoreId, ts::Ts};
use std::{collections::BTreeMap, sync::PoisonError};

impl TikvCluster {
    fn change<T>(&self, region: u64, change: impl FnOnce(&mut Region) -> T) -> Option<T> {
        let mut state = self.shared.lock();
        state.led.clear();
        let changed = state.regions.get_mut(&region).map(change);
        drop(state);
        self.shared.ring();
        changed
    }

    /// All regions in key order.
    #[must_use]
    pub fn regions(&self) -> Vec<RegionView> {
        let mut views: Vec<_> = self.shared.lock().regions.values().map(Region::view).collect();
        views.sort_by(|a, b| a.start.cmp(&b.start));
        views
    }

    /// safe_ts of a region stands still at `ts` (0: not initialised), or follows the clock again.
    pub fn set_safe_ts(&self, region: u64, ts: Option<Ts>) {
        self.change(region, |region| region.safe_ts = ts.map_or(SafeTs::Advancing, SafeTs::Fixed));
    }

    /// An admin command is proposed and not applied.
    pub fn set_pending_admin(&self, region: u64, pending: bool) {
        self.change(region, |region| region.pending_admin = pending);
    }

    /// Appends an entry to every peer's log; nobody applies it until [`TikvCluster::apply`].
    pub fn propose(&self, region: u64) {
        self.change(region, Region::propose);
    }

    /// Every peer applies what it has, or only the one on `store`.
    pub fn apply(&self, region: u64, store: Option<StoreId>) {
        self.change(region, |region| region.apply(store.map(|store| store.0)));
    }

    /// The peer on `store` is one that has never voted.
    pub fn never_voted(&self, region: u64, store: StoreId) {
        self.change(region, |region| region.never_voted(store.0));
    }

    /// An election: the term grows, and `leader` leads from now on (`None`: nobody yet). Leases do not stop it.
    pub fn elect(&self, region: u64, leader: Option<StoreId>) {
        self.change(region, |region| {
            region.term += 1;
            region.leader = leader.map(|store| store.0);
        });
    }

    /// A command that leases reject, at the leader's store (§2.2).
    fn admin<T>(&self, region: u64, command: impl FnOnce(&mut BTreeMap<u64, Region>) -> T) -> Result<T, Suspended> {
        let now = self.shared.seconds();
        let mut state = self.shared.lock();
        let leader = state.regions.get(&region).and_then(|region| region.leader);
        let store = leader.and_then(|leader| state.stores.get(&leader));
        if store.is_none_or(|store| store.lease.rejects(now)) {
            return Err(Suspended);
        }
        state.led.clear();
        let done = command(&mut state.regions);
        drop(state);
        self.shared.ring();
        Ok(done)
    }

    /// TransferLeader.
    ///
    /// # Errors
    /// The leader's store is leased.
    pub fn transfer_leader(&self, region: u64, to: StoreId) -> Result<(), Suspended> {
        self.admin(region, |regions| {
            if let Some(region) = regions.get_mut(&region) {
                region.term += 1;
                region.leader = Some(to.0);
            }
        })
    }

    /// A conf change that ends with the same peers.
    ///
    /// # Errors
    /// The leader's store is leased.
    pub fn conf_change(&self, region: u64) -> Result<(), Suspended> {
        self.admin(region, |regions| {
            if let Some(region) = regions.get_mut(&region) {
                region.epoch.conf_ver += 1;
            }
        })
    }

    /// Splits at `key`; answers the new region to the right of it. Its safe_ts is 0 until [`TikvCluster::set_safe_ts`].
    ///
    /// # Errors
    /// The leader's store is leased ([`Suspended`]), or PD gives no numbers.
    pub async fn split(&self, region: u64, key: &[u8]) -> Result<u64> {
        let peers = self.shared.lock().regions.get(&region).map_or(0, |region| region.peers.len());
        let mut ids = Vec::new();
        for _ in 0..=peers {
            ids.push(self.new_id().await?);
        }
        let new = *ids.first().context("no number")?;
        self.admin(region, |regions| {
            let Some(left) = regions.get_mut(&region) else { return };
            left.epoch.version += 1;
            let right = Region {
                id: new,
                start: key.to_vec(),
                end: std::mem::replace(&mut left.end, key.to_vec()),
                epoch: left.epoch,
                peers: left.peers.keys().copied().zip(ids.iter().skip(1).map(|id| Peer::new(*id))).collect(),
                leader: left.leader,
                term: left.term,
                pending_admin: false,
                safe_ts: SafeTs::Fixed(Ts::ZERO),
            };
            regions.insert(new, right);
        })?;
        Ok(new)
    }

    async fn new_id(&self) -> Result<u64> {
        if !self.urls.is_empty() {
            return Leader::find(&self.urls).await?.alloc_id().await;
        }
        let mut next = self.next_id.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        Ok(*next - 1)
    }
}
