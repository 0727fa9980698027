//! PD: what is read of it, and how it is held.

use super::{error::PortError, topology::PdEndpoint};
use async_trait::async_trait;
use shared::{
    evidence::ClusterStore,
    ids::{ClusterId, RegionId, StoreId},
    time::Millis,
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc};

/// Makes PD clients; one per attempt, so that credentials and leaders are fresh.
#[async_trait]
pub trait PdConnect: Send + Sync {
    /// Discovers the leader. Refuses `PdUnavailable` only when no member answered.
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Pd>, PortError>;
}

/// PD of one TiDB cluster. Every call finds the leader again when it moved and is bounded by a time limit.
#[async_trait]
pub trait Pd: Send + Sync {
    /// Identity, version, settings that a backup depends on.
    async fn cluster(&self) -> Result<PdCluster, PortError>;
    /// Every store that is neither Tombstone nor TiFlash.
    async fn stores(&self) -> Result<Vec<ClusterStore>, PortError>;
    /// PD's TSO now.
    async fn now(&self) -> Result<Ts, PortError>;
    /// PD's own minimum; shown only.
    async fn min_resolved_ts(&self) -> Result<Ts, PortError>;
    /// The least of all service safe points at present, without changing any.
    async fn min_service_safe_point(&self) -> Result<Ts, PortError>;
    /// Sets a service safe point. Returns the minimum that PD replied: accepted iff it is ≤ `at`
    /// (`facts/pd-tikv.md` §1.10: a refusal looks like success).
    async fn hold_gc(&self, service: &str, ttl: Millis, at: Ts) -> Result<Ts, PortError>;
    /// Removes it (TTL 0). Idempotent.
    async fn drop_gc_hold(&self, service: &str) -> Result<(), PortError>;
    /// Data older than this may be gone.
    async fn gc_safe_point(&self) -> Result<Ts, PortError>;
    /// Pauses schedulers and sets the TTL configs (`facts/pd-tikv.md` §3.4, §3.5); the pauses are read back. Called
    /// again to renew: pass what the first call returned, so that originals are kept.
    async fn pause_schedulers(&self, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, PortError>;
    /// Resumes exactly what was paused: delay 0, original values with ttlSecond 0.
    async fn resume_schedulers(&self, pause: &PdPause) -> Result<(), PortError>;
    /// A page of regions from `start` on, as PD believes; used only to name what is missing. Empty: there are none.
    async fn regions(&self, start: &[u8]) -> Result<Vec<PdRegion>, PortError>;
}

/// What PD says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdCluster {
    /// Never changes.
    pub id: ClusterId,
    /// Without a leading v.
    pub version: String,
    /// An EBS restore marker exists.
    pub recovering: bool,
    /// `pd-server.min-resolved-ts-persistence-interval` is above zero.
    pub min_resolved_ts_enabled: bool,
}

/// What was paused, so that exactly this can be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PdPause {
    /// Schedulers paused and read back as paused.
    pub schedulers: Vec<String>,
    /// TTL configs set, with their value before.
    pub originals: BTreeMap<String, serde_json::Value>,
}

/// A region as PD believes it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdRegion {
    /// Its number.
    pub region: RegionId,
    /// Empty: −∞.
    pub start: Vec<u8>,
    /// Empty: +∞.
    pub end: Vec<u8>,
    /// `None`: PD knows no leader.
    pub leader: Option<StoreId>,
}
