//! TiKV and PD of a cluster that is being restored: what recovery mode, flashback and PD's mark are asked for
//! (`facts/restore.md` §3).

use super::{
    error::PortError,
    topology::{ClusterTls, PdEndpoint},
};
use async_trait::async_trait;
use shared::{
    ids::{RegionId, StoreId},
    recovery::{FlashbackTimes, Meta},
    ts::Ts,
};
use std::sync::Arc;

/// Makes clients of one TiKV of a cluster that is being restored.
#[async_trait]
pub trait RecoveryConnect: Send + Sync {
    /// Dials one store.
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Recovery>, PortError>;
}

/// One TiKV store of a cluster that is being restored.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Is it in recovery mode? Outside of it TiKV does not know the service: UNIMPLEMENTED is false (`facts/restore.md` §3.5).
    /// Asking ends a [`Recovery::lead`] of whoever else.
    async fn is_recovering(&self) -> Result<bool, PortError>;
    /// ReadRegionMeta: every copy on its volumes, tombstones left out. Ends a [`Recovery::lead`] that is under way. A stream that TiKV ends too
    /// early looks like a whole one: whoever asks compares with what others tell.
    async fn region_metas(&self) -> Result<Vec<Meta>, PortError>;
    /// RecoverRegion: this store stands for election in these regions, and only in these. Returns when TiKV says that it is done, which
    /// proves nothing (`facts/restore.md` §3.4), or after `limit`: a region without a quorum keeps the call open for ever.
    async fn lead(&self, regions: &[RegionId], limit: std::time::Duration) -> Result<Asked, PortError>;
    /// CheckPendingAdminOp: the regions that this store, whose number is `store`, leads, with what a backup does not ask of them.
    async fn led(&self, store: StoreId) -> Result<Vec<Leading>, PortError>;
    /// KvPrepareFlashbackToVersion of a piece of one region that this store leads.
    async fn prepare_flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError>;
    /// KvFlashbackToVersion of a piece that was prepared.
    async fn flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError>;
    /// Coprocessor checksum of a piece as a reader at this timestamp sees it.
    async fn checksum(&self, piece: &Piece, at: Ts) -> Result<Summed, PortError>;
}

/// How [`Recovery::lead`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// TiKV says that all were seen to.
    Answered,
    /// Its time was over.
    Cut,
    /// Another call ended it (ABORTED).
    Aborted,
}

/// One region at its leader. A flashback is sent for the whole range of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which region.
    pub region: RegionId,
    /// `metapb.RegionEpoch.conf_ver`
    pub conf_ver: u64,
    /// `metapb.RegionEpoch.version`
    pub version: u64,
    /// The leader's store: TiKV refuses what is meant for another.
    pub store: StoreId,
    /// The leader's peer id, on that store.
    pub peer: u64,
    /// Begin of its range as encoded; empty: before all keys. On the wire a flashback carries decoded keys (`facts/restore.md` §3.3).
    pub start: Vec<u8>,
    /// End of its range as encoded; empty: behind all keys.
    pub end: Vec<u8>,
}

/// A region at its leader, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leading {
    /// Which, and where.
    pub piece: Piece,
    /// Stores of all its peers.
    pub members: Vec<StoreId>,
    /// Conf change, merge or split not yet applied.
    pub pending: bool,
    /// A flashback was prepared and has not ended (`facts/restore.md` §3.7).
    pub in_flashback: bool,
}

/// Back to what, and written as what. The same for all regions of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flashback {
    /// Data as of this.
    pub version: Ts,
    /// The flashback's start_ts.
    pub start_ts: Ts,
    /// Its commit_ts, above every version on the volumes: TiKV dies otherwise (`facts/restore.md` §3.7).
    pub commit_ts: Ts,
}

impl From<FlashbackTimes> for Flashback {
    fn from(times: FlashbackTimes) -> Self {
        let FlashbackTimes { version, start_ts, commit_ts } = times;
        Self { version, start_ts, commit_ts }
    }
}

/// What TiKV answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlashedBack {
    /// Done, or done before.
    Done,
    /// The region is another one now, or led by somebody else: look it up anew. The text is TiKV's.
    Moved(String),
    /// It was not prepared under this start_ts.
    NotPrepared,
    /// Busy or not ready: the same again later. The text is TiKV's.
    Again(String),
}

/// A checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// CRC64 of all keys and values, xored.
    pub checksum: u64,
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// Makes clients of the PD of a cluster that is being restored.
#[async_trait]
pub trait MarkedConnect: Send + Sync {
    /// Discovers the leader. Refuses `PdUnavailable` only when no member answered.
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Marked>, PortError>;
}

/// What only a restore asks of PD (`facts/restore.md` §3.2). Every call finds the leader again when it moved and is bounded by a time limit.
/// All of them work before PD is bootstrapped.
#[async_trait]
pub trait Marked: Send + Sync {
    /// PD's cluster id.
    async fn cluster(&self) -> Result<shared::ids::ClusterId, PortError>;
    /// A first region was made: some TiKV has started here.
    async fn is_bootstrapped(&self) -> Result<bool, PortError>;
    /// Is the mark there?
    async fn is_marked(&self) -> Result<bool, PortError>;
    /// Sets the mark. It has no owner: whoever calls has made sure that it is nobody else's.
    async fn mark(&self) -> Result<(), PortError>;
    /// Takes it away.
    async fn unmark(&self) -> Result<(), PortError>;
    /// AllocID: hands out an id, and so tells where the allocator stands.
    async fn alloc_id(&self) -> Result<u64, PortError>;
    /// Where the allocator goes on. It may go back by it: whoever calls has asked where it stands.
    async fn set_base_alloc_id(&self, base: u64) -> Result<(), PortError>;
    /// reset-ts with force-use-larger: PD's clock is at least here from now on. A refusal (403) is an error with PD's words.
    async fn reset_ts(&self, at: Ts) -> Result<(), PortError>;
    /// PD's TSO now.
    async fn now(&self) -> Result<Ts, PortError>;
}
