//! The handle that tests hold: starts the stores, changes regions, turns knobs, reads counters.

use super::{
    launch::{self, Life},
    layout::new_region,
    pd::{self, Leader},
    state::{Counters, Knobs, Mode, Shared, State, Store, unix_ms},
};
use crate::models::tikv::{Imports, Lease};
use anyhow::{Context, Result, ensure};
use plane_actor::edge::proto::{
    metapb::{self, RegionEpoch},
    pdpb::ScanRegionsRequest,
};
use shared::{ids::StoreId, time::Millis};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, sync::watch};

/// How long PD may take to hear of all stores and regions.
const HEARD_LIMIT: Duration = Duration::from_secs(30);

/// One store to start.
#[derive(Clone, Debug)]
pub struct StoreSpec {
    /// An address of the loopback network (127.0.0.0/8) for this store alone.
    pub host: Ipv4Addr,
    /// gRPC port; 0 lets the system choose, 20160 is TiKV's.
    pub port: u16,
    /// Without a leading v.
    pub version: String,
    /// How long ago its process says that it started: a backup waits for the young (`facts/pd-tikv.md` §6.3).
    pub age: Duration,
}

impl StoreSpec {
    /// A store of version 7.5.1, just started, on a port of the system's choice.
    #[must_use]
    pub fn new(host: Ipv4Addr) -> Self {
        Self { host, port: 0, version: "7.5.1".to_owned(), age: Duration::ZERO }
    }
}

/// A running TiKV cluster. Dropping it stops every store and every heartbeat.
#[derive(Debug)]
pub struct TikvCluster {
    pub(super) shared: Arc<Shared>,
    lives: Mutex<BTreeMap<u64, Life>>,
    pub(super) urls: Vec<String>,
    heartbeats: Option<Runtime>,
    pub(super) next_id: Mutex<u64>,
}

impl Drop for TikvCluster {
    fn drop(&mut self) {
        if let Some(runtime) = self.heartbeats.take() {
            runtime.shutdown_background();
        }
    }
}

impl TikvCluster {
    /// Starts the stores, bootstraps the PD at `pd_url` (members separated by commas; it must be fresh) with them, and waits until PD has heard of
    /// every store and region. Two regions per store, up to three peers each, leaders spread evenly.
    ///
    /// # Errors
    /// PD does not answer, is bootstrapped already, or an address is taken.
    pub async fn start(pd_url: &str, specs: &[StoreSpec]) -> Result<Self> {
        let urls: Vec<String> = pd_url.split(',').map(|url| url.trim_end_matches('/').to_owned()).collect();
        let mut leader = Leader::find(&urls).await?;
        let regions = specs.len() * 2;
        let mut ids = Vec::new();
        for _ in 0..specs.len() + regions * (1 + specs.len().min(3)) {
            ids.push(leader.alloc_id().await?);
        }
        let mut cluster = Self::launch(specs, 2, ids, urls)?;
        let (store, region) = cluster.first()?;
        leader.bootstrap(store, region).await?;
        let runtime = launch::runtime("tikv-heartbeats")?;
        for id in cluster.stores() {
            runtime.spawn(pd::keep(Arc::clone(&cluster.shared), id.0, cluster.urls.clone()));
        }
        cluster.heartbeats = Some(runtime);
        cluster.heard().await?;
        Ok(cluster)
    }

    /// The same without a PD: stores are numbered from 1, regions and peers after them.
    ///
    /// # Errors
    /// An address is taken.
    pub fn start_alone(specs: &[StoreSpec]) -> Result<Self> {
        Self::start_large(specs, 2)
    }

    /// The same with so many regions led by each store.
    ///
    /// # Errors
    /// An address is taken.
    pub fn start_large(specs: &[StoreSpec], leaders: usize) -> Result<Self> {
        Self::launch(specs, leaders, Vec::new(), Vec::new())
    }

    fn launch(specs: &[StoreSpec], leaders: usize, ids: Vec<u64>, urls: Vec<String>) -> Result<Self> {
        ensure!(!specs.is_empty(), "a cluster needs at least one store");
        let mut ids = ids.into_iter().chain(1..);
        let mut take = || ids.next().context("ran out of numbers");
        let mut state = State { lag: Millis::secs(1), ..State::default() };
        let mut listeners = Vec::new();
        for spec in specs {
            let id = take()?;
            let grpc = launch::listen(SocketAddr::from((spec.host, spec.port)))?;
            let http = launch::listen(SocketAddr::from((spec.host, 0)))?;
            state.stores.insert(id, new_store(spec, grpc.local_addr()?, http.local_addr()?));
            listeners.push((id, grpc, http));
        }
        let stores: Vec<u64> = listeners.iter().map(|(id, ..)| *id).collect();
        let count = stores.len() * leaders;
        for index in 0..count {
            let region = new_region(&stores, index, count, &mut take)?;
            state.regions.insert(region.id, region);
        }
        let next_id = take()?;
        let shared = Arc::new(Shared::new(state));
        let mut lives = BTreeMap::new();
        for (id, grpc, http) in listeners {
            lives.insert(id, launch::launch(&shared, id, grpc, http)?);
        }
        Ok(Self { shared, lives: Mutex::new(lives), urls, heartbeats: None, next_id: Mutex::new(next_id) })
    }

    /// What PD is bootstrapped with: the first store, and the first region while it is still the only one.
    fn first(&self) -> Result<(metapb::Store, metapb::Region)> {
        let id = self.stores().first().context("no store")?.0;
        let store = pd::store_pb(&self.shared, id).context("no store")?;
        let region = self.regions().into_iter().find(|region| region.start.is_empty()).context("no first region")?;
        let state = self.shared.lock();
        let peer = state.regions.get(&region.id).and_then(|region| region.peers.get(&id)).context("no first peer")?;
        let region_epoch = Some(RegionEpoch { conf_ver: 1, version: 1 });
        let peers = vec![metapb::Peer { id: peer.id, store_id: id }];
        Ok((store, metapb::Region { id: region.id, region_epoch, peers, ..metapb::Region::default() }))
    }

    /// Waits until PD knows every region at its present epoch and leader.
    ///
    /// # Errors
    /// It does not within 30 s.
    pub async fn heard(&self) -> Result<()> {
        let waiting = async {
            while !self.pd_agrees().await.unwrap_or(false) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(HEARD_LIMIT, waiting).await.context("PD has not heard of all regions")
    }

    async fn pd_agrees(&self) -> Result<bool> {
        let mut leader = Leader::find(&self.urls).await?;
        let request = ScanRegionsRequest { header: leader.header(), limit: 0, ..ScanRegionsRequest::default() };
        let answer = leader.grpc.scan_regions(request).await?.into_inner();
        let heard: BTreeMap<u64, _> = answer
            .regions
            .into_iter()
            .filter_map(|entry| entry.region.map(|r| (r.id, (r.region_epoch, entry.leader.map_or(0, |p| p.store_id)))))
            .collect();
        let state = self.shared.lock();
        Ok(heard.len() == state.regions.len()
            && state.regions.values().all(|region| {
                let told = heard.get(&region.id);
                told.is_some_and(|(epoch, leader)| *epoch == Some(region.epoch) && region.leader == Some(*leader))
            }))
    }

    /// All stores, in the order of the specs.
    #[must_use]
    pub fn stores(&self) -> Vec<StoreId> {
        self.shared.lock().stores.keys().map(|id| StoreId(*id)).collect()
    }

    /// `host:port` of a store's gRPC port.
    #[must_use]
    pub fn address(&self, store: StoreId) -> String {
        self.read(store, |store| store.address.to_string()).unwrap_or_default()
    }

    /// `host:port` of a store's status port.
    #[must_use]
    pub fn status_address(&self, store: StoreId) -> String {
        self.read(store, |store| store.status.to_string()).unwrap_or_default()
    }

    /// What clients have done to a store since it was made.
    #[must_use]
    pub fn counters(&self, store: StoreId) -> Counters {
        self.read(store, |store| store.counters).unwrap_or_default()
    }

    /// Is the store's lease live?
    #[must_use]
    pub fn leased(&self, store: StoreId) -> bool {
        let now = self.shared.seconds();
        self.read(store, |store| store.lease.rejects(now)).unwrap_or(false)
    }

    /// Are the store's imports suspended?
    #[must_use]
    pub fn imports_suspended(&self, store: StoreId) -> bool {
        self.read(store, |store| store.imports.suspended(unix_ms())).unwrap_or(false)
    }

    /// When a lease was last asked for, answered or not.
    #[must_use]
    pub fn leased_at(&self, store: StoreId) -> Option<Instant> {
        self.read(store, |store| store.leased_at).flatten()
    }

    /// The longest time that a store went without a request for its lease, from the first one to Finish.
    #[must_use]
    pub fn longest_gap(&self, store: StoreId) -> Duration {
        self.read(store, |store| store.longest_gap).unwrap_or_default()
    }

    /// Changes a store's behaviour.
    pub fn turn(&self, store: StoreId, change: impl FnOnce(&mut Knobs)) {
        if let Some(store) = self.shared.lock().stores.get_mut(&store.0) {
            change(&mut store.knobs);
        }
        self.shared.ring();
    }

    /// Ends a store's lease and the pause of its imports, as time would.
    pub fn expire_lease(&self, store: StoreId) {
        if let Some(store) = self.shared.lock().stores.get_mut(&store.0) {
            store.lease = Lease::default();
            store.imports = Imports::default();
        }
    }

    /// How far safe_ts lies behind the clock (1 s at first).
    pub fn set_lag(&self, lag: Millis) {
        self.shared.lock().lag = lag;
    }

    fn read<T>(&self, store: StoreId, look: impl FnOnce(&Store) -> T) -> Option<T> {
        self.shared.lock().stores.get(&store.0).map(look)
    }

    // ------------------------------------------------------------------------------------------------ processes

    /// Kills a store: its connections break, its lease and waits are forgotten.
    pub fn kill(&self, store: StoreId) {
        let life = self.lives.lock().unwrap_or_else(PoisonError::into_inner).remove(&store.0);
        drop(life);
        // The runtime ends on its own thread; a killed process's ports are closed when its killer returns.
        if let Some((grpc, http)) = self.read(store, |store| (store.address, store.status)) {
            for address in [grpc, http] {
                if let Err(error) = launch::listen(address) {
                    tracing::warn!(store = store.0, %error, "a killed store still listens");
                }
            }
        }
        let mut state = self.shared.lock();
        if let Some(store) = state.stores.get_mut(&store.0) {
            store.running = false;
            store.lease = Lease::default();
            store.imports = Imports::default();
        }
        state.regions.values_mut().for_each(|region| region.forget_wait(store.0));
    }

    /// Starts a killed store on its old addresses, with a later start timestamp.
    ///
    /// # Errors
    /// An address is taken.
    pub fn revive(&self, store: StoreId) -> Result<()> {
        self.revive_aged(store, Duration::ZERO)
    }

    /// The same for a process that says it started this long ago: nobody waits for it any more.
    ///
    /// # Errors
    /// An address is taken.
    pub fn revive_aged(&self, store: StoreId, age: Duration) -> Result<()> {
        let (grpc, http) = self.read(store, |store| (store.address, store.status)).context("no such store")?;
        let life = launch::launch(&self.shared, store.0, launch::listen(grpc)?, launch::listen(http)?)?;
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).insert(store.0, life);
        if let Some(store) = self.shared.lock().stores.get_mut(&store.0) {
            store.running = true;
            let started = unix_seconds() - i64::try_from(age.as_secs()).unwrap_or(0);
            store.start_timestamp = started.max(store.start_timestamp + 1);
        }
        self.shared.ring();
        Ok(())
    }
}

fn unix_seconds() -> i64 {
    i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX)
}

fn new_store(spec: &StoreSpec, address: SocketAddr, status: SocketAddr) -> Store {
    Store {
        address,
        status,
        start_timestamp: unix_seconds() - i64::try_from(spec.age.as_secs()).unwrap_or(0),
        running: true,
        lease: Lease::default(),
        leased_at: None,
        longest_gap: Duration::ZERO,
        imports: Imports::default(),
        knobs: Knobs {
            mode: Mode::Normal,
            version: spec.version.clone(),
            resolved_ts_enable: true,
            report_interval: "1s".to_owned(),
            mute_renewals: false,
            raft_dir: None,
            renewal_delay: Duration::ZERO,
            safe_ts_error: None,
            safe_ts_delay: Duration::ZERO,
            heartbeats: true,
        },
        counters: Counters::default(),
        newest: watch::Sender::new(0),
    }
}
