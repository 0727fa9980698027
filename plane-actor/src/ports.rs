//! What a plane actor needs of the world, as traits. Actors know these and nothing behind them; `main.rs` joins them to
//! the edges, the simulation and the demo join them to doubles.

use async_trait::async_trait;
use shared::{
    evidence::{AcceptedSnapshot, ClusterStore, HoldKind},
    ids::{ClusterId, InstanceId, RegionId, SnapshotId, StoreId, VolumeId},
    member::MemberLedger,
    reason::Refusal,
    request::Storage,
    time::{Millis, Timestamp},
    ts::Ts,
};
use shell::link::Link;
use std::{collections::BTreeMap, fmt, sync::Arc};

pub use shared::member::coverage::{Applied, LedRegion, RegionAt};

/// Everything a plane actor is joined to.
#[derive(Clone)]
pub struct Ports {
    /// This plane's API server (or a stand-alone description of it).
    pub topology: Arc<dyn Topology>,
    /// Finds PD.
    pub pd: Arc<dyn PdConnect>,
    /// Finds TiKV.
    pub tikv: Arc<dyn TikvConnect>,
    /// Finds EC2 and S3.
    pub cloud: Arc<dyn CloudConnect>,
    /// This plane's one small object.
    pub ledger: Arc<dyn PlaneLedger>,
    /// The way to the coordinator.
    pub dialer: Arc<dyn Dialer>,
    /// Wall clock; goes into reports only.
    pub wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Why a port could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// Final until a person (or the cluster) changes something; goes to the coordinator word for word.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// May pass by itself: time-outs, 5xx, throttling, a leader change. The text says what and where.
    #[error("{0}")]
    Unavailable(String),
}

impl PortError {
    /// A final refusal.
    pub fn refused(reason: shared::reason::Reason, message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(reason, message))
    }
}

// ---------------------------------------------------------------------------------------------------------- topology

/// Reads pods, volumes and secrets of this plane. Never writes.
#[async_trait]
pub trait Topology: Send + Sync {
    /// Where this TiDB cluster's PD is and how to talk to it. Works under Operator v1, v2 and none
    /// (`facts/topology.md` §3, §5). Refuses `TidbClusterNotFound`.
    async fn locate(&self, namespace: &str, name: &str) -> Result<Located, PortError>;

    /// Which of `stores` run in this plane (matched by address, `facts/topology.md` §4), down to their EBS volumes.
    /// Stores of other planes are left out silently; a local store whose volumes are not EBS is `VolumeUnsupported`.
    async fn local_stores(
        &self,
        namespace: &str,
        name: &str,
        stores: &[ClusterStore],
    ) -> Result<Vec<LocalStore>, PortError>;

    /// The keys of a secret. Refuses `CredentialsUnreadable`.
    async fn secret(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>, PortError>;

    /// IRSA: the role of a ServiceAccount (annotation `eks.amazonaws.com/role-arn`) and a token for it
    /// (TokenRequest, audience `sts.amazonaws.com`).
    async fn service_account(&self, namespace: &str, name: &str) -> Result<WebIdentity, PortError>;
}

/// A TiDB cluster as this plane knows it.
#[derive(Clone, Debug)]
pub struct Located {
    /// How to reach PD and TiKV.
    pub endpoint: PdEndpoint,
    /// What goes into clustermeta and backupmeta as `kubernetes.crd_tidb_cluster`: the v1 object, or the minimal one
    /// made from v2 or from no operator (`facts/topology.md` §2).
    pub tidb_cluster: serde_json::Value,
    /// `spec.pd.replicas` of the plane's TidbCluster (0 without one).
    pub pd_replicas: u32,
    /// `spec.tidb.replicas` of the plane's TidbCluster (0 without one).
    pub tidb_replicas: u32,
}

/// PD's addresses and the cluster's client TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdEndpoint {
    /// `http://host:2379` or `https://…`; at least one.
    pub urls: Vec<String>,
    /// Mutual TLS for PD and TiKV alike.
    pub tls: Option<ClusterTls>,
}

/// PEM texts of the cluster's client secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterTls {
    /// `ca.crt`
    pub ca: Vec<u8>,
    /// `tls.crt`
    pub cert: Vec<u8>,
    /// `tls.key`
    pub key: Vec<u8>,
}

impl fmt::Debug for ClusterTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterTls(..)")
    }
}

/// A TiKV pod of this plane.
#[derive(Clone, Debug)]
pub struct LocalStore {
    /// PD's number.
    pub store: StoreId,
    /// Pod name, for people.
    pub pod: String,
    /// Its EBS volumes; at least one.
    pub volumes: Vec<LocalVolume>,
}

/// One claim of a TiKV pod.
#[derive(Clone, Debug)]
pub struct LocalVolume {
    /// `vol-…`
    pub volume: VolumeId,
    /// Where TiKV mounts it.
    pub mount_path: String,
    /// `storage.data-dir`, or the dotted configuration key it serves, or empty.
    pub kind: String,
    /// The PVC as it goes into clustermeta (labels as restore needs them).
    pub pvc: serde_json::Value,
    /// The PV as it goes into clustermeta (annotation `temporary/volume-id` set).
    pub pv: serde_json::Value,
}

// ---------------------------------------------------------------------------------------------------------------- PD

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
    /// Regions from `start` on, at most `limit`, as PD believes; used only to name what is missing.
    async fn regions(&self, start: &[u8], limit: u32) -> Result<Vec<PdRegion>, PortError>;
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

// -------------------------------------------------------------------------------------------------------------- TiKV

/// Makes TiKV clients.
#[async_trait]
pub trait TikvConnect: Send + Sync {
    /// Dials one store.
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
    /// CheckPendingAdminOp: the regions this store leads, each with whether an admin command is pending.
    async fn led_regions(&self) -> Result<Vec<LedRegion>, PortError>;
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
}

/// One open prepare stream, or what stands in for it. Dropping it ends the stream, not the lease.
#[async_trait]
pub trait Hold: Send + Sync {
    /// What it prevents.
    fn kind(&self) -> HoldKind;
    /// UpdateLease; returns `last_lease_is_valid` of the reply (the state just before this request). Weaker: suspends
    /// imports for this long from now, and returns whether they were suspended just before.
    async fn lease(&self, length: Millis) -> Result<bool, HoldError>;
    /// WaitApply of these regions at these epochs; one result per region, when all are in. A weaker hold has no such
    /// call: `Unimplemented`.
    async fn wait_apply(&self, regions: &[RegionAt]) -> Result<Vec<(RegionId, Applied)>, HoldError>;
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

// ------------------------------------------------------------------------------------------------------- EC2, S3, STS

/// Makes clients for one identity; credentials are checked here, before anything is held.
#[async_trait]
pub trait CloudConnect: Send + Sync {
    /// `region` may be empty: the plane's own. Refuses `CredentialsUnreadable`, `CredentialsRefused` or `AccessDenied`.
    /// The clients renew their credentials by themselves for as long as they live, and nobody keeps them longer.
    async fn connect(&self, identity: &CloudIdentity, storage: &Storage) -> Result<Cloud, PortError>;
}

/// Who to be.
#[derive(Clone)]
pub enum CloudIdentity {
    /// AK/SK.
    Keys {
        /// `access_key`
        access_key: String,
        /// `secret_key`
        secret_key: String,
    },
    /// AssumeRole from the plane actor's own chain.
    Role(String),
    /// IRSA of another ServiceAccount.
    ServiceAccount(Arc<dyn WebIdentitySource>),
    /// The plane actor's own chain.
    Default,
}

impl fmt::Debug for CloudIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys(..)",
            Self::Role(_) => "Role(..)",
            Self::ServiceAccount(_) => "ServiceAccount(..)",
            Self::Default => "Default",
        })
    }
}

/// A role and a token that may assume it.
#[derive(Clone)]
pub struct WebIdentity {
    /// Role ARN.
    pub role: String,
    /// JWT, good for minutes: made for one call of STS.
    pub token: String,
}

/// Where web identities come from. Asked anew for every session, so that credentials outlast both token and session.
#[async_trait]
pub trait WebIdentitySource: Send + Sync {
    /// The role as it stands now, and a token that was made for this call. Refuses `CredentialsUnreadable`.
    async fn web_identity(&self) -> Result<WebIdentity, PortError>;
}

/// Clients of one identity.
#[derive(Clone)]
pub struct Cloud {
    /// Account of the credentials (STS GetCallerIdentity).
    pub account: String,
    /// Region used for EC2.
    pub region: String,
    /// Snapshots.
    pub ec2: Arc<dyn Ec2>,
    /// Metadata.
    pub objects: Arc<dyn Objects>,
}

/// What EC2 or S3 answered instead of a result.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CloudError {
    /// Rate refusal: nothing happened; wait and ask again.
    #[error("throttled: {0}")]
    Throttled(String),
    /// A volume was snapshotted less than 15 s ago: look whether an earlier call of ours succeeded, then wait.
    #[error("per-volume rate: {0}")]
    PerVolumeRate(String),
    /// A snapshot quota: waiting may help.
    #[error("snapshot quota: {0}")]
    Quota(String),
    /// Final. `code` is AWS's.
    #[error("{code}: {message}")]
    Refused {
        /// AWS error code.
        code: String,
        /// AWS message.
        message: String,
    },
    /// No permission. The text names the action.
    #[error("access denied: {0}")]
    Denied(String),
    /// The credentials themselves are unknown, wrong or expired. The text names the action and AWS's code.
    #[error("credentials not accepted: {0}")]
    NotAccepted(String),
    /// There are no credentials to sign with, so nothing was sent.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// No such bucket, snapshot or object.
    #[error("not found: {0}")]
    NotFound(String),
    /// The answer was lost: a mutating call may have happened. Look before any retry.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
}

/// EC2. Every mutating call is one attempt on the wire; nothing here retries blindly.
#[async_trait]
pub trait Ec2: Send + Sync {
    /// DescribeVolumes by id: where each volume is attached.
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError>;
    /// DescribeInstances by id: every volume of each instance.
    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError>;
    /// CreateSnapshots of one instance, one attempt. Tags are set by the call itself.
    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError>;
    /// CreateSnapshots with DryRun: nothing happens, EC2 says whether it would be allowed. `Denied`: it would not. Anything
    /// else that stands in the way of this one call is left to the call itself.
    async fn may_create_snapshots(&self, call: &CreateSnapshots) -> Result<(), CloudError>;
    /// DescribeSnapshots, owner self, by tags (all must match), all pages. Finding nothing is not absence (lag).
    async fn find_snapshots(&self, tags: &[(String, String)]) -> Result<Vec<SnapshotInfo>, CloudError>;
    /// DescribeSnapshots by id. Never called with an empty list. Ids not yet visible are left out.
    async fn snapshots(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError>;
    /// DescribeSnapshots, owner self, of these volumes in state pending or error: what takes up concurrency slots.
    async fn unfinished_snapshots(&self, volumes: &[VolumeId]) -> Result<Vec<SnapshotInfo>, CloudError>;
    /// DeleteSnapshot; not found is success.
    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<(), CloudError>;
}

/// Where a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeAt {
    /// Which.
    pub volume: VolumeId,
    /// `None`: not attached.
    pub instance: Option<InstanceId>,
    /// Availability zone.
    pub zone: String,
    /// Its tags, without `aws:` ones.
    pub tags: Vec<(String, String)>,
}

/// All volumes of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceVolumes {
    /// Which.
    pub instance: InstanceId,
    /// `running`, `stopped`, …
    pub state: String,
    /// Root volume, left out by ExcludeBootVolume.
    pub root: Option<VolumeId>,
    /// Every other volume attached.
    pub data: Vec<VolumeId>,
}

/// One multi-volume call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshots {
    /// Of which instance.
    pub instance: InstanceId,
    /// Foreign data volumes; at most 40.
    pub exclude: Vec<VolumeId>,
    /// At most 50, set on every snapshot.
    pub tags: Vec<(String, String)>,
    /// For people in the AWS console.
    pub description: String,
}

/// One row of DescribeSnapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Which.
    pub snapshot: SnapshotId,
    /// Of which volume.
    pub volume: VolumeId,
    /// pending, completed, error, …
    pub state: SnapshotState,
    /// 0–100; advisory.
    pub progress: u8,
    /// EC2's clock.
    pub start_time: Timestamp,
    /// FullSnapshotSizeInBytes, once known.
    pub full_bytes: Option<u64>,
    /// StateMessage.
    pub message: String,
    /// All tags.
    pub tags: Vec<(String, String)>,
}

/// State of a snapshot; an unknown word is never "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// Content fixed, data on its way.
    Pending,
    /// All data is in S3.
    Completed,
    /// Worthless; still counts against limits.
    Error,
    /// In the recycle bin.
    Recoverable,
    /// Anything else.
    Unknown,
}

/// S3 below one bucket. Keys are whole keys.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Does the bucket exist and may we list it? At most `limit` keys below a prefix.
    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, CloudError>;
    /// `None`: no such object.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError>;
    /// Writes an object, whatever stood there.
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CloudError>;
    /// Writes an object only if absent (`If-None-Match: *`). False: it exists.
    async fn put_if_absent(&self, key: &str, body: Vec<u8>) -> Result<bool, CloudError>;
    /// Deletes; absent is success.
    async fn delete(&self, key: &str) -> Result<(), CloudError>;
}

// ------------------------------------------------------------------------------------------------------------- ledger

/// This plane's one small object: epochs obeyed and evidence. Written by one process only; a lost compare-and-set means
/// that another plane actor of the same name runs, and is final.
#[async_trait]
pub trait PlaneLedger: Send + Sync {
    /// Empty at first.
    async fn load(&self) -> Result<MemberLedger, PortError>;
    /// Durable when it returns.
    async fn save(&self, ledger: &MemberLedger) -> Result<(), PortError>;
}

/// The way to the coordinator: frames, not QUIC.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// One dial; the caller backs off. Bounded in time.
    async fn dial(&self) -> Result<Link, PortError>;
}
