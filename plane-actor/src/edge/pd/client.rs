//! [`Pd`] for a real PD: what is asked, and how the answers are read.

use super::{
    gc,
    leader::{Fail, Leader, Leaders, header_fail, status_fail},
    pause,
    stores::{all_stores, cluster_store, holds_data},
};
use crate::{
    edge::{
        proto::pdpb::{IsSnapshotRecoveringRequest, ScanRegionsRequest, TsoRequest},
        tikv::{StatusAddresses, is_zero_duration},
    },
    ports::{Pd, PdCluster, PdPause, PdRegion, PortError},
};
use async_trait::async_trait;
use serde::Deserialize;
use shared::{
    evidence::ClusterStore,
    ids::{RegionId, StoreId},
    time::Millis,
    ts::Ts,
};

/// Regions of one page. PD sends every region twice (`facts/pd-tikv.md` §1.9): these stay near four megabytes, an eighth of
/// what an answer may have, and a cluster of millions is read in hundreds of round trips.
const REGION_PAGE: i32 = 4096;

/// PD of one TiDB cluster.
pub(super) struct PdClient {
    leaders: Leaders,
    status: StatusAddresses,
}

impl PdClient {
    pub(super) fn new(leaders: Leaders, status: StatusAddresses) -> Self {
        Self { leaders, status }
    }
}

#[derive(Deserialize)]
struct PdServerConfig {
    #[serde(rename = "min-resolved-ts-persistence-interval", default)]
    min_resolved_ts_persistence_interval: String,
}

#[derive(Deserialize)]
struct MinResolvedTs {
    min_resolved_ts: u64,
}

/// PD's clock.
pub(super) async fn tso(leader: &Leader) -> Result<Ts, Fail> {
    let request = TsoRequest { header: leader.header(), count: 1 };
    // The request stands in the stream before the call is awaited: PD answers nothing, headers included, without it.
    let stream = tokio_stream::once(request);
    let mut answers = leader.grpc().tso(stream).await.map_err(|s| status_fail(&s))?.into_inner();
    let answer = answers.message().await.map_err(|s| status_fail(&s))?;
    let answer = answer.ok_or_else(|| Fail::Again("the TSO stream ended without an answer".to_owned()))?;
    header_fail(answer.header.as_ref())?;
    let stamp = answer
        .timestamp
        .and_then(|t| Some(Ts::compose(u64::try_from(t.physical).ok()?, u64::try_from(t.logical).ok()?)));
    stamp.filter(|ts| ts.is_real()).ok_or_else(|| Fail::Again("the TSO answer holds no timestamp".to_owned()))
}

async fn cluster(leader: Leader) -> Result<PdCluster, Fail> {
    let version: String = leader.get("/config/cluster-version").await?;
    let config: PdServerConfig = leader.get("/config/pd-server").await?;
    let request = IsSnapshotRecoveringRequest { header: leader.header() };
    let answer = leader.grpc().is_snapshot_recovering(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(PdCluster {
        id: leader.cluster,
        version: version.trim_start_matches('v').to_owned(),
        recovering: answer.marked,
        min_resolved_ts_enabled: !is_zero_duration(&config.min_resolved_ts_persistence_interval),
    })
}

async fn regions(leader: Leader, start: Vec<u8>) -> Result<Vec<PdRegion>, Fail> {
    let (limit, end_key) = (REGION_PAGE, Vec::new());
    let request = ScanRegionsRequest { header: leader.header(), start_key: start, limit, end_key };
    let answer = leader.grpc().scan_regions(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    let known = answer.regions.into_iter().filter_map(|entry| {
        let region = entry.region?;
        let leader = entry.leader.filter(|peer| peer.id != 0).map(|peer| StoreId(peer.store_id));
        Some(PdRegion { region: RegionId(region.id), start: region.start_key, end: region.end_key, leader })
    });
    Ok(known.collect())
}

#[async_trait]
impl Pd for PdClient {
    async fn cluster(&self) -> Result<PdCluster, PortError> {
        self.leaders.call("cluster settings", cluster).await
    }

    async fn stores(&self) -> Result<Vec<ClusterStore>, PortError> {
        let question = |leader: Leader| async move { Ok((all_stores(&leader).await?, tso(&leader).await?)) };
        let (stores, now) = self.leaders.call("list of stores", question).await?;
        let mut stores: Vec<_> = stores.into_iter().filter(holds_data).collect();
        // PD lists them in the order of a hash map.
        stores.sort_by_key(|store| store.id);
        let status = stores.iter().map(|s| (s.address.clone(), s.status_address.clone())).collect();
        self.status.note(self.leaders.cluster(), status);
        Ok(stores.into_iter().map(|store| cluster_store(store, now)).collect())
    }

    async fn now(&self) -> Result<Ts, PortError> {
        self.leaders.call("TSO", |leader| async move { tso(&leader).await }).await
    }

    async fn min_resolved_ts(&self) -> Result<Ts, PortError> {
        let question = |leader: Leader| async move { leader.get::<MinResolvedTs>("/min-resolved-ts").await };
        Ok(Ts(self.leaders.call("min-resolved-ts", question).await?.min_resolved_ts))
    }

    async fn min_service_safe_point(&self) -> Result<Ts, PortError> {
        let question = |leader: Leader| async move { gc::least_service(&leader, tso(&leader).await?).await };
        self.leaders.call("service safe points", question).await
    }

    async fn hold_gc(&self, service: &str, ttl: Millis, at: Ts) -> Result<Ts, PortError> {
        let seconds = i64::try_from(ttl.as_secs_up()).unwrap_or(i64::MAX).max(1);
        self.leaders.call("service safe point", |leader| gc::update_service(leader, service, seconds, at)).await
    }

    async fn drop_gc_hold(&self, service: &str) -> Result<(), PortError> {
        let question = |leader| gc::update_service(leader, service, 0, Ts::ZERO);
        self.leaders.call("removal of the service safe point", question).await.map(|_| ())
    }

    async fn gc_safe_point(&self) -> Result<Ts, PortError> {
        self.leaders.call("GC safe point", gc::safe_point).await
    }

    async fn pause_schedulers(&self, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, PortError> {
        self.leaders.call("pause of schedulers", |leader| pause::pause(leader, ttl, before)).await
    }

    async fn resume_schedulers(&self, paused: &PdPause) -> Result<(), PortError> {
        self.leaders.call("resumption of schedulers", |leader| pause::resume(leader, paused)).await
    }

    async fn regions(&self, start: &[u8]) -> Result<Vec<PdRegion>, PortError> {
        self.leaders.call("scan of regions", |leader| regions(leader, start.to_vec())).await
    }
}
