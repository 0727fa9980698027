//! EC2, S3 and whoever we are there.

use super::{
    block::{BlockAt, BlockPage, BlockRead, SomeBlocks},
    cloud_error::CloudError,
    error::PortError,
    storage::Storage,
    volume::{CreateVolume, VolumeSum, Volumes, Zone},
};
use async_trait::async_trait;
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    request::S3Target,
    time::Timestamp,
    wire::VolumeKind,
};
use std::{fmt, sync::Arc};

/// Makes clients for one identity; credentials are checked here, before anything is held.
#[async_trait]
pub trait CloudConnect: Send + Sync {
    /// `region` may be empty: the plane's own. A role of the storage is assumed by this identity, for S3 alone. Refuses `CredentialsUnreadable`, `CredentialsRefused` or `AccessDenied`.
    /// The clients renew their credentials by themselves for as long as they live, and nobody keeps them longer.
    async fn connect(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError>;
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
    Role {
        /// Whole ARN.
        arn: String,
        /// What its trust policy asks for; empty: nothing.
        external_id: String,
    },
    /// IRSA of another ServiceAccount.
    ServiceAccount(Arc<dyn WebIdentitySource>),
    /// The plane actor's own chain.
    Default,
}

impl fmt::Debug for CloudIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys(..)",
            Self::Role { .. } => "Role(..)",
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
    /// Nobody named the plane's own region, so this one is the bucket's, or a guess.
    pub region_guessed: bool,
    /// Snapshots.
    pub ec2: Arc<dyn Ec2>,
    /// What restores make of them.
    pub volumes: Arc<dyn Volumes>,
    /// What they hold.
    pub blocks: Arc<dyn Blocks>,
    /// Metadata.
    pub objects: Arc<dyn Objects>,
}

/// EC2. Every mutating call is one attempt on the wire; nothing here retries blindly.
#[async_trait]
pub trait Ec2: Send + Sync {
    /// DescribeVolumes by id: where each volume is attached. Those that EC2 does not know are left out.
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError>;
    /// DescribeInstances by id: every volume of each instance. Those that EC2 does not know are left out.
    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError>;
    /// CreateSnapshots of one instance, one attempt. Tags are set by the call itself.
    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError>;
    /// CreateSnapshots with DryRun: nothing happens. `Ok` only for EC2's own word that it would have succeeded; whatever else
    /// it answers is what the call itself would be told.
    async fn may_create_snapshots(&self, call: &CreateSnapshots) -> Result<(), CloudError>;
    /// CreateSnapshot of one volume, one attempt. Tags are set by the call itself. EC2 does not say where the volume is: the
    /// answer names the call's instance.
    async fn create_snapshot(&self, call: &CreateSnapshot) -> Result<AcceptedSnapshot, CloudError>;
    /// CreateSnapshot with DryRun, see [`Ec2::may_create_snapshots`].
    async fn may_create_snapshot(&self, call: &CreateSnapshot) -> Result<(), CloudError>;
    /// DescribeSnapshots, owner self: one page of at most 1000, the first one or that of a token. Finding nothing is not
    /// absence (lag).
    async fn find_snapshots(&self, find: &Find, page: Option<String>) -> Result<Found, CloudError>;
    /// DescribeSnapshots by id. Never called with an empty list. Ids not yet visible are left out.
    async fn snapshots(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError>;
    /// DescribeSnapshots, owner self, without a filter: one page, of which nothing is kept but how many there are.
    async fn count_snapshots(&self, page: Option<String>) -> Result<Counted, CloudError>;
    /// DescribeSnapshots, owner self, of these volumes in state pending or error (what takes up concurrency slots): one page,
    /// the first one or that of a token. Never called without volumes (at most 200, EC2's bound of filter values).
    async fn unfinished_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError>;
    /// DescribeSnapshots, owner self, of these volumes in state completed: one page, the first one or that of a token.
    /// Never called without volumes (at most 200, EC2's bound of filter values).
    async fn completed_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError>;
    /// DeleteSnapshot. False: there is no such snapshot, which is as good.
    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<bool, CloudError>;
    /// Those of these deleted snapshots that a rule of the Recycle Bin keeps, and bills, for now (at most 1000 ids).
    async fn in_recycle_bin(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotId>, CloudError>;
    /// DescribeSnapshotAttribute: accounts that may make volumes of it, besides its owner; `all` is everybody.
    async fn shared_with(&self, id: &SnapshotId) -> Result<Vec<String>, CloudError>;
    /// CreateVolume of a snapshot in a zone, with DryRun: nothing happens. `Ok` only for EC2's own word that it would have
    /// succeeded.
    async fn may_create_volume(&self, call: &CreateVolume) -> Result<(), CloudError>;
    /// DescribeAvailabilityZones: those of the Region that the account may use.
    async fn zones(&self) -> Result<Vec<Zone>, CloudError>;
    /// DescribeVolumes of this type, whosever they are: one page, the first one or that of a token.
    async fn sum_volumes(&self, kind: &str, page: Option<String>) -> Result<VolumeSum, CloudError>;
}

/// EBS direct: which blocks snapshots hold, and that some of them can be read (`facts/aws.md` A6, A13).
#[async_trait]
pub trait Blocks: Send + Sync {
    /// ListChangedBlocks: blocks that `second` has and `first` has not, or has otherwise; one page.
    async fn changed(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError>;
    /// ListSnapshotBlocks: every block that was ever written; one page.
    async fn written(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<BlockPage, CloudError>;
    /// ListSnapshotBlocks, a small page: blocks by which [`Blocks::read`] may be asked. It may be empty although another
    /// follows.
    async fn some_blocks(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<SomeBlocks, CloudError>;
    /// GetSnapshotBlock. What is in it is added up and let go.
    async fn read(&self, snapshot: &SnapshotId, block: &BlockAt) -> Result<BlockRead, CloudError>;
}

/// Which snapshots are looked for. All of it must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Find {
    /// At least one: without any this would be every snapshot there is.
    pub tags: Vec<(String, String)>,
    /// Of any of these volumes; empty: of whichever. Together with the tags at most 200 (EC2's bound of filter values).
    pub volumes: Vec<VolumeId>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// May be empty although another page follows: filters are applied after a page is cut.
    pub snapshots: Vec<SnapshotInfo>,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// How many are on one page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// All.
    pub snapshots: u32,
    /// Of these: not yet completed.
    pub pending: u32,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
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
    /// Type and performance, as far as EC2 tells them.
    pub kind: VolumeKind,
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
    /// CopyTagsFromSource: each snapshot bears its volume's tags as well. They count among the 50 (`facts/aws.md` A1).
    pub copy_tags: bool,
    /// For people in the AWS console.
    pub description: String,
}

/// One volume alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshot {
    /// Where it was found to be attached.
    pub instance: InstanceId,
    /// Which.
    pub volume: VolumeId,
    /// At most 50.
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
    /// How EC2 keeps it.
    pub storage: Storage,
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
    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, CloudError> {
        self.list_after(prefix, "", limit).await
    }
    /// The same of keys that come behind this one in the order of their bytes; empty: of all.
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, CloudError>;
    /// `None`: no such object.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError>;
    /// Writes an object, whatever stood there.
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CloudError>;
    /// Writes an object only if absent (`If-None-Match: *`). False: it exists.
    async fn put_if_absent(&self, key: &str, body: Vec<u8>) -> Result<bool, CloudError>;
    /// Deletes; absent is success.
    async fn delete(&self, key: &str) -> Result<(), CloudError>;
}
