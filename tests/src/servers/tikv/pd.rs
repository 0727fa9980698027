//! What a TiKV tells a real PD (`facts/pd-tikv.md` §8.3), one task per store.

use super::state::Shared;
use anyhow::{Context, Result, bail, ensure};
use plane_actor::edge::proto::{
    metapb,
    pdpb::{self, pd_client::PdClient},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

/// TiKV reports its min-resolved-ts each second.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between heartbeats: far below PD's 20 s to Disconnected and 60 s per region.
const HEARTBEAT_TICKS: u64 = 5;

/// Before a lost session is made anew.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// One answer of PD, a leader change aside.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Region heartbeats on their way to PD; the feeder waits beyond that.
const HEARTBEATS: usize = 64;

/// A connection to PD's leader.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) grpc: PdClient<Channel>,
    cluster: u64,
}

impl Leader {
    /// Asks any of `urls` who leads.
    pub(super) async fn find(urls: &[String]) -> Result<Self> {
        let mut last = None;
        for url in urls {
            match Self::find_by(url).await {
                Ok(leader) => return Ok(leader),
                Err(error) => last = Some(error.context(format!("PD at {url}"))),
            }
        }
        Err(last.context("no PD address is given")?)
    }

    async fn find_by(url: &str) -> Result<Self> {
        let mut member = PdClient::new(dial(url).await?);
        let answer = limited(member.get_members(pdpb::GetMembersRequest::default())).await?;
        let cluster = answer.header.context("no header")?.cluster_id;
        let leader = answer.leader.context("no leader is elected")?;
        let url = leader.client_urls.first().context("the leader has no client URL")?;
        Ok(Self { grpc: PdClient::new(dial(url).await?), cluster })
    }

    pub(super) fn cluster(&self) -> u64 {
        self.cluster
    }

    /// Is a restore's mark there? What every TiKV asks at its start.
    pub(super) async fn is_marked(&mut self) -> Result<bool> {
        let request = pdpb::IsSnapshotRecoveringRequest { header: self.header() };
        let answer = limited(self.grpc.is_snapshot_recovering(request)).await?;
        accepted("IsSnapshotRecovering", answer.header.as_ref())?;
        Ok(answer.marked)
    }

    pub(super) fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.cluster })
    }

    /// A number that nobody else in this cluster has.
    pub(super) async fn alloc_id(&mut self) -> Result<u64> {
        let request = pdpb::AllocIdRequest { header: self.header() };
        let answer = limited(self.grpc.alloc_id(request)).await?;
        accepted("AllocID", answer.header.as_ref())?;
        Ok(answer.id)
    }

    /// Makes `store` and `region` the first of the cluster.
    pub(super) async fn bootstrap(&mut self, store: metapb::Store, region: metapb::Region) -> Result<()> {
        let request = pdpb::IsBootstrappedRequest { header: self.header() };
        let answer = limited(self.grpc.is_bootstrapped(request)).await?;
        ensure!(!answer.bootstrapped, "this PD is bootstrapped already; a TikvCluster needs a fresh one");
        let request = pdpb::BootstrapRequest { header: self.header(), store: Some(store), region: Some(region) };
        let answer = limited(self.grpc.bootstrap(request)).await?;
        accepted("Bootstrap", answer.header.as_ref())
    }

    async fn put_store(&mut self, store: metapb::Store) -> Result<()> {
        let request = pdpb::PutStoreRequest { header: self.header(), store: Some(store) };
        let answer = limited(self.grpc.put_store(request)).await?;
        accepted("PutStore", answer.header.as_ref())
    }

    async fn store_heartbeat(&mut self, stats: pdpb::StoreStats) -> Result<()> {
        let request = pdpb::StoreHeartbeatRequest { header: self.header(), stats: Some(stats) };
        let answer = limited(self.grpc.store_heartbeat(request)).await?;
        accepted("StoreHeartbeat", answer.header.as_ref())
    }

    async fn report(&mut self, store_id: u64, min_resolved_ts: u64) -> Result<()> {
        let request = pdpb::ReportMinResolvedTsRequest { header: self.header(), store_id, min_resolved_ts };
        let answer = limited(self.grpc.report_min_resolved_ts(request)).await?;
        accepted("ReportMinResolvedTS", answer.header.as_ref())
    }
}

async fn dial(url: &str) -> Result<Channel> {
    Ok(Endpoint::from_shared(url.to_owned())?.connect_timeout(CALL_LIMIT).connect().await?)
}

async fn limited<T>(call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>) -> Result<T> {
    Ok(tokio::time::timeout(CALL_LIMIT, call).await.context("PD does not answer")??.into_inner())
}

fn accepted(call: &str, header: Option<&pdpb::ResponseHeader>) -> Result<()> {
    match header.and_then(|header| header.error.as_ref()) {
        Some(error) if error.r#type() != pdpb::ErrorType::Ok => {
            bail!("{call}: {}: {}", error.r#type().as_str_name(), error.message)
        }
        _ => Ok(()),
    }
}

/// Whoever has stores to tell PD of.
pub(super) trait Teller: Send + Sync + 'static {
    /// The store, if it runs and is not told to be silent.
    fn store(&self, id: u64) -> Option<metapb::Store>;
    /// Regions that it has copies of.
    fn regions(&self, id: u64) -> usize;
    /// What it leads.
    fn beats(&self, id: u64, leader: &Leader) -> Vec<pdpb::RegionHeartbeatRequest>;
    /// What it reports as resolved.
    fn min_resolved(&self, id: u64) -> u64;
    /// Rings when there is news; `None`: PD hears of it when its time has come.
    fn changed(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}

impl Teller for Shared {
    fn store(&self, id: u64) -> Option<metapb::Store> {
        let speaks = self.lock().stores.get(&id).is_some_and(|store| store.running && store.knobs.heartbeats);
        if speaks { store_pb(self, id) } else { None }
    }

    fn regions(&self, id: u64) -> usize {
        self.lock().regions.values().filter(|region| region.peers.contains_key(&id)).count()
    }

    fn beats(&self, id: u64, leader: &Leader) -> Vec<pdpb::RegionHeartbeatRequest> {
        region_beats(self, id, leader)
    }

    fn min_resolved(&self, id: u64) -> u64 {
        self.lock().min_resolved_ts(id).0
    }

    fn changed(&self) -> Option<watch::Receiver<u64>> {
        Some(self.changed.subscribe())
    }
}

/// The store as PD is told.
pub(super) fn store_pb(shared: &Shared, id: u64) -> Option<metapb::Store> {
    let state = shared.lock();
    let store = state.stores.get(&id)?;
    Some(metapb::Store {
        id,
        address: store.address.to_string(),
        version: store.knobs.version.clone(),
        // What TiKV says when it was given no name of its own (`facts/topology.md` §4).
        status_address: format!("0.0.0.0:{}", store.status.port()),
        start_timestamp: store.start_timestamp,
        ..metapb::Store::default()
    })
}

/// Keeps a store alive in PD's eyes, through leader changes, until its runtime ends.
pub(super) async fn keep(teller: Arc<impl Teller>, id: u64, urls: Vec<String>) {
    loop {
        if let Err(error) = session(teller.as_ref(), id, &urls).await {
            tracing::debug!(store = id, error = format!("{error:#}"), "the session with PD ended");
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn session(teller: &impl Teller, id: u64, urls: &[String]) -> Result<()> {
    let mut leader = Leader::find(urls).await?;
    let (beats, stream) = mpsc::channel(HEARTBEATS);
    // PD's response headers may be a minute away: the call runs beside the feeder (`facts/pd-tikv.md` §8.3 step
    // 7). Ended with the set.
    let mut drain = JoinSet::new();
    let mut grpc = leader.grpc.clone();
    drain.spawn(async move {
        let mut answers = grpc.region_heartbeat(ReceiverStream::new(stream)).await?.into_inner();
        // Operators are ignored, which is legal; they time out.
        while let Some(answer) = answers.message().await? {
            accepted("RegionHeartbeat", answer.header.as_ref())?;
        }
        bail!("PD ended the heartbeat stream")
    });
    let mut changed = teller.changed();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count: u64 = 0;
    let mut registered = 0;
    loop {
        let rung = tokio::select! {
            _ = ticks.tick() => false,
            rung = news(&mut changed) => { rung?; true }
            Some(ended) = drain.join_next() => return ended?,
        };
        let Some(store) = teller.store(id) else { continue };
        let told = store.clone();
        if store.start_timestamp != registered {
            registered = store.start_timestamp;
            leader.put_store(store).await?;
        }
        let due = count.is_multiple_of(HEARTBEAT_TICKS);
        if due && !rung {
            leader.store_heartbeat(stats(teller.regions(id), &told)).await?;
        }
        if due || rung {
            for beat in teller.beats(id, &leader) {
                beats.send(beat).await.context("the heartbeat stream is closed")?;
            }
        }
        if !rung {
            count += 1;
            leader.report(id, teller.min_resolved(id)).await?;
        }
    }
}

/// Until the bell rings; for ever where there is none.
async fn news(changed: &mut Option<watch::Receiver<u64>>) -> Result<(), watch::error::RecvError> {
    match changed {
        Some(changed) => changed.changed().await,
        None => std::future::pending().await,
    }
}

pub(super) fn interval() -> Option<pdpb::TimeInterval> {
    let now = super::state::unix_ms() / 1000;
    Some(pdpb::TimeInterval { start_timestamp: now.saturating_sub(HEARTBEAT_TICKS), end_timestamp: now })
}

fn stats(regions: usize, store: &metapb::Store) -> pdpb::StoreStats {
    pdpb::StoreStats {
        store_id: store.id,
        capacity: 100 << 30,
        available: 90 << 30,
        used_size: 10 << 30,
        region_count: u32::try_from(regions).unwrap_or(u32::MAX),
        start_time: u32::try_from(store.start_timestamp).unwrap_or(0),
        interval: interval(),
    }
}

fn region_beats(shared: &Shared, id: u64, leader: &Leader) -> Vec<pdpb::RegionHeartbeatRequest> {
    let state = shared.lock();
    let led = state.regions.values().filter(|region| region.leader == Some(id));
    led.map(|region| pdpb::RegionHeartbeatRequest {
        header: leader.header(),
        region: Some(region.to_pb()),
        leader: region.leader_pb(),
        approximate_size: 1,
        approximate_keys: 1,
        interval: interval(),
        term: region.term,
    })
    .collect()
}
