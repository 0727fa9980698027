//! EBS volumes, as a restore asks about them, makes them and takes them away again.

use super::cloud_error::CloudError;
use async_trait::async_trait;
use shared::{
    ids::{InstanceId, SnapshotId, VolumeId},
    time::Timestamp,
    wire::VolumeKind,
};

/// A volume that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVolume {
    /// Of which snapshot.
    pub snapshot: SnapshotId,
    /// In which zone.
    pub zone: String,
    /// What type, how fast.
    pub kind: VolumeKind,
    /// VolumeInitializationRate, MiB/s.
    pub rate: Option<u32>,
}

/// A zone of the Region that the account may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// As this account calls it.
    pub name: String,
    /// EC2's word: `available`, `impaired`, … (`facts/restore.md` §5.3).
    pub state: String,
}

/// One page of DescribeVolumes, of which nothing is kept but the sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSum {
    /// GiB.
    pub gib: u64,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// A volume that is made, and by what it is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// Of what, where, how fast.
    pub call: CreateVolume,
    /// ClientToken: at most 64 ASCII characters. The same call with the same token is the same volume; with another word in it, tags
    /// included, it is refused (`facts/restore.md` §5.1).
    pub token: String,
    /// At most 50, set by the call itself. A function of what is wished for: no moment of time is in them.
    pub tags: Vec<(String, String)>,
}

/// State of a volume; a word that is not known is never "there".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeState {
    /// Not yet to be attached.
    Creating,
    /// Made, attached to nothing.
    Available,
    /// Attached.
    InUse,
    /// Asked to be deleted; may last for minutes.
    Deleting,
    /// Gone, and still listed.
    Deleted,
    /// It will never be: a key that is not usable shows like this, too.
    Error,
    /// Anything else.
    Unknown,
}

/// One row of DescribeVolumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Which.
    pub volume: VolumeId,
    /// Of which it was made; `None`: of none.
    pub snapshot: Option<SnapshotId>,
    /// Availability zone.
    pub zone: String,
    /// How it stands.
    pub state: VolumeState,
    /// When it was made, by EC2's clock; `None`: EC2 does not say.
    pub created: Option<Timestamp>,
    /// GiB.
    pub gib: u64,
    /// Type and performance.
    pub kind: VolumeKind,
    /// Where it is attached.
    pub instance: Option<InstanceId>,
    /// All tags, without `aws:` ones.
    pub tags: Vec<(String, String)>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumesFound {
    /// May be empty although another page follows.
    pub volumes: Vec<VolumeInfo>,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// How much of a volume's data is there (DescribeVolumeStatus, `facts/restore.md` §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialized {
    /// Which.
    pub volume: VolumeId,
    /// 0 to 100; `None`: EC2 does not tell it of this volume. It may lag by five minutes.
    pub percent: Option<u8>,
}

/// Volumes of a restore. Every mutating call is one attempt on the wire; nothing here retries blindly.
#[async_trait]
pub trait Volumes: Send + Sync {
    /// CreateVolume, one attempt.
    async fn create_volume(&self, new: &NewVolume) -> Result<VolumeInfo, CloudError>;
    /// DescribeVolumes by tags (at least one; all must match): one page of at most 500, the first one or that of a token. Finding nothing is
    /// not absence (lag).
    async fn find_volumes(&self, tags: &[(String, String)], page: Option<String>) -> Result<VolumesFound, CloudError>;
    /// DescribeVolumes by id. Never called with an empty list. Those that EC2 does not know are left out.
    async fn described(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeInfo>, CloudError>;
    /// DescribeVolumeStatus by id. Never called with an empty list. Those that EC2 does not know are left out.
    async fn initialized(&self, volumes: &[VolumeId]) -> Result<Vec<Initialized>, CloudError>;
    /// DeleteVolume. False: there is no such volume, which is as good. `InvalidState`: it is attached.
    async fn delete_volume(&self, volume: &VolumeId) -> Result<bool, CloudError>;
}
