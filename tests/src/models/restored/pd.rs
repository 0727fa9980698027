//! PD of a cluster that is being restored, as far as a restore looks at it (`facts/restore.md` §3.2).

use shared::{
    ids::{ClusterId, RegionId, StoreId},
    time::Timestamp,
    ts::Ts,
};
use std::collections::BTreeMap;

/// A store as PD has registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Where it says that it is.
    pub address: String,
    /// When its process says that it started, Unix seconds.
    pub start_timestamp: i64,
    /// The last heartbeat.
    pub heard: Timestamp,
}

/// A region as PD believes it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// Begin of its range.
    pub start: Vec<u8>,
    /// End of its range.
    pub end: Vec<u8>,
    /// Who leads it; `None`: nobody ever reported.
    pub leader: Option<StoreId>,
}

/// What PD answers with 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden(pub &'static str);

/// PD's state.
#[derive(Clone, Debug)]
pub struct Pd {
    /// Its cluster id: another than that of the backup.
    pub cluster: ClusterId,
    /// The mark "snapshot recovering". Nobody owns it.
    pub marked: bool,
    /// Somebody has bootstrapped it: there is a first region, made up.
    pub bootstrapped: bool,
    /// By store id.
    pub stores: BTreeMap<StoreId, Registered>,
    /// What leaders reported; only the made-up region until the first one does.
    pub regions: BTreeMap<RegionId, Believed>,
    /// So far behind the true time is its clock, in milliseconds.
    pub clock_behind_ms: i64,
    base: u64,
    last_tso: Ts,
}

impl Pd {
    /// Fresh: no store, no region, no mark.
    #[must_use]
    pub fn new(cluster: ClusterId) -> Self {
        Self {
            cluster,
            marked: false,
            bootstrapped: false,
            stores: BTreeMap::new(),
            regions: BTreeMap::new(),
            clock_behind_ms: 0,
            base: 0,
            last_tso: Ts::ZERO,
        }
    }

    /// AllocID: hands out an id.
    pub fn alloc_id(&mut self) -> u64 {
        self.base += 1;
        self.base
    }

    /// `base-alloc-id`: the next id is the one behind it, even if that is back.
    ///
    /// # Errors
    /// PD is not marked.
    pub fn set_base_alloc_id(&mut self, base: u64) -> Result<(), Forbidden> {
        if !self.marked {
            return Err(Forbidden("can only recover alloc id when recovering mark marked"));
        }
        self.base = base;
        Ok(())
    }

    /// The next timestamp: unique and growing.
    pub fn tso(&mut self, now: Timestamp) -> Ts {
        let floor = Ts::compose(now.0.saturating_sub(self.clock_behind_ms).unsigned_abs(), 0);
        self.last_tso = Ts(self.last_tso.0 + 1).max(floor);
        self.last_tso
    }

    /// `reset-ts` with force-use-larger: the clock is at least there from now on, without an upper bound.
    pub fn reset_ts(&mut self, at: Ts) {
        self.last_tso = self.last_tso.max(at);
    }

    /// The first TiKV bootstraps PD with a region that is on no disk, over the whole key space (`facts/restore.md` §3.5).
    pub(crate) fn bootstrap(&mut self) {
        if self.bootstrapped {
            return;
        }
        let region = RegionId(self.alloc_id());
        let _peer = self.alloc_id();
        self.regions.insert(region, Believed { start: Vec::new(), end: Vec::new(), leader: None });
        self.bootstrapped = true;
    }

    /// PutStore.
    ///
    /// # Errors
    /// Another store has this address.
    pub(crate) fn put_store(&mut self, store: StoreId, address: &str, now: Timestamp) -> Result<(), String> {
        let taken = self.stores.iter().find(|(other, kept)| **other != store && kept.address == address);
        if let Some((other, _)) = taken {
            return Err(format!("duplicated store address: {address} is registered by store {other}"));
        }
        let start_timestamp = now.0.div_euclid(1_000);
        self.stores.insert(store, Registered { address: address.to_owned(), start_timestamp, heard: now });
        Ok(())
    }

    /// A leader's heartbeat: what it overlaps and nobody leads, goes.
    pub(crate) fn report(&mut self, region: RegionId, believed: Believed) {
        self.regions.retain(|id, other| *id == region || other.leader.is_some());
        self.regions.insert(region, believed);
    }
}
