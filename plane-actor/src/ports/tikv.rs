//! One TiKV store: what is read of it, and how it is held.

use super::{error::PortError, topology::ClusterTls};
use async_trait::async_trait;
use shared::{
    evidence::HoldKind,
    ids::RegionId,
    member::coverage::{Applied, LedRegion, RegionAt},
    time::Millis,
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc};

/// Is told every region of a list.
pub type EachRegion<'a> = dyn FnMut(LedRegion<'_>) + Send + 'a;

/// Makes TiKV clients.
#[async_trait]
pub trait TikvConnect: Send + Sync {
    /// Dials one store. What the connection needs runs where this is called.
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError>;
}

/// One TiKV store. No call here opens a prepare stream except `open_hold`.
#[async_trait]
pub trait Tikv: Send + Sync {
    /// Settings that a backup depends on, from the status port (`facts/pd-tikv.md` §3.8); `status_address` may be
    /// unusable (0.0.0.0): then the host of the store's address is taken.
    async fn settings(&self) -> Result<TikvSettings, PortError>;
    /// Opens the one prepare stream of this store. This cuts off any older stream of any client.
    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError>;
    /// The weaker hold of a store without the prepare call: its imports are suspended (`facts/pd-tikv.md` §1.13). Touches
    /// nothing before its first lease.
    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError>;
    /// CheckPendingAdminOp: the regions this store leads, each with whether an admin command is pending, one by one while
    /// they are read. After an error what was told counts for nothing.
    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError>;
    /// GetRegionReadProgress of one region: its `safe_ts` ([`Ts::ZERO`]: not initialised).
    async fn safe_ts(&self, region: RegionId) -> Result<Ts, PortError>;
}

/// What `/config` and `/engine_type` of a TiKV say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TikvSettings {
    /// `resolved-ts.enable`
    pub resolved_ts_enabled: bool,
    /// `raftstore.[pd-]report-min-resolved-ts-interval` is above zero.
    pub report_enabled: bool,
    /// False for partitioned-raft-kv.
    pub raft_kv: bool,
    /// Every directory that this process keeps data in, by its dotted key, defaults resolved (`facts/topology.md` §9).
    pub directories: BTreeMap<String, String>,
}

/// One open prepare stream, or what stands in for it. Dropping it ends the stream, not the lease.
#[async_trait]
pub trait Hold: Send + Sync {
    /// Which calls it knows; what it prevents goes by TiKV's version as well.
    fn kind(&self) -> HoldKind;
    /// UpdateLease; returns `last_lease_is_valid` of the reply (the state just before this request). Weaker: suspends
    /// imports for this long from now, and returns whether they were suspended just before.
    async fn lease(&self, length: Millis) -> Result<bool, HoldError>;
    /// WaitApply of these regions at these epochs, each named once; accounts for every one, when all are in. A weaker
    /// hold has no such call: `Unimplemented`.
    async fn wait_apply(&self, regions: Vec<RegionAt>) -> Result<Applied, HoldError>;
    /// Finish; ends the lease for everybody. Weaker: imports go on.
    async fn finish(&self) -> Result<bool, HoldError>;
}

/// Why a prepare stream ended or could not be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HoldError {
    /// UNIMPLEMENTED: TiKV too old.
    #[error("TiKV does not know the call")]
    Unimplemented,
    /// UNAVAILABLE "coprocessor not initialized": raftstore v2, or not fully started.
    #[error("TiKV is not ready for prepare: {0}")]
    NotReady(String),
    /// CANCELLED: a newer stream was opened by somebody.
    #[error("another client took the prepare stream")]
    TakenOver,
    /// FAILED_PRECONDITION: no live lease.
    #[error("the lease has expired")]
    Expired,
    /// The connection broke or did not answer in time.
    #[error("prepare stream broke: {0}")]
    Broken(String),
}
