//! What becomes of a store's process: it is down, holds, waits, restarts, and loses its leaders.

use super::engine::{Event, State};
use crate::models::tikv::{Imports, Lease};
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};

impl State {
    pub(crate) fn store_is_up(&self, store: StoreId) -> bool {
        self.stores.get(&store).is_some_and(|held| held.down_until <= self.now)
    }

    /// How long a store still stays down, if it is.
    pub(crate) fn down_for(&self, store: StoreId) -> Option<u64> {
        let until = self.stores.get(&store)?.down_until;
        (until > self.now).then(|| until - self.now)
    }

    /// Monotonic whole seconds of a store's host; hosts do not tick together.
    pub(crate) fn seconds_of(&self, store: StoreId) -> u64 {
        (self.now + store.0 * 137 + 5_000) / 1_000
    }

    pub(crate) fn leased(&self, store: StoreId) -> bool {
        self.stores.get(&store).is_some_and(|held| held.lease.rejects(self.seconds_of(store)))
    }

    /// Ingest is answered ServerIsBusy.
    pub(crate) fn imports_suspended(&self, store: StoreId) -> bool {
        self.stores.get(&store).is_some_and(|held| held.imports.suspended(self.now))
    }

    pub(crate) fn store_at(&self, address: &str) -> Option<StoreId> {
        self.stores.iter().find(|(_, held)| held.address == address).map(|(store, _)| *store)
    }

    /// Decides a wait after its peer has applied something.
    pub(crate) fn settle_waits(&mut self, region: RegionId, store: StoreId) {
        let term = self.regions.get(&region).map_or(0, |kept| kept.term);
        let applied = self.peer(region, store).map(|peer| peer.applied);
        let Some(held) = self.stores.get_mut(&store) else { return };
        let newest = held.stream;
        let Some(wait) = held.waits.get_mut(&region).filter(|wait| wait.outcome.is_none()) else { return };
        wait.outcome = wait.target.outcome(term, applied);
        if wait.outcome.is_some() && wait.stream != newest {
            held.waits.remove(&region);
        }
    }

    /// The process ends and starts again: lease, streams, waits and resolvers are gone; others take over its leaders.
    pub(crate) fn restart(&mut self, store: StoreId, down: u64) {
        let wall = self.wall().0;
        let until = self.now + down;
        let Some(held) = self.stores.get_mut(&store) else { return };
        held.process += 1;
        held.started = wall + i64::try_from(down).unwrap_or(0);
        held.down_until = until;
        held.lease = Lease::default();
        held.imports = Imports::default();
        held.waits.clear();
        for peer in held.peers.values_mut() {
            (peer.safe_ts, peer.resolver_ready) = (Ts::ZERO, false);
        }
        let regions: Vec<RegionId> = held.peers.keys().copied().collect();
        for region in regions {
            self.elect_away(region, store);
            let init = self.draw(self.config.resolver_init) * 2;
            self.after(down + init, Event::ResolverReady(region, store));
        }
        self.note(&[20, store.0]);
    }

    /// An election by time-out: leases do not stop these (`facts/pd-tikv.md` §2.2).
    pub(crate) fn elect_away(&mut self, region: RegionId, store: StoreId) {
        if !self.leads(region, store) {
            return;
        }
        let Some(leader) = self.leader(region) else { return };
        let next = leader
            .region
            .peers
            .iter()
            .copied()
            .filter(|other| *other != store && self.store_is_up(*other))
            .filter_map(|other| self.peer(region, other).map(|peer| (peer.last(), other)))
            .max();
        if let Some((_, next)) = next {
            self.elect(region, next);
        }
    }
}
