//! The only writer to a plane's API server: what a restore puts there, and what it takes away again.

use super::error::PortError;
use async_trait::async_trait;
use serde_json::Value;
pub use shared::placement::WaitingClaim;

/// A volume, as Kubernetes is told of it: a PersistentVolume, and the claim that is bound to it.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundVolume {
    /// The PersistentVolume; its name and labels are a function of the restore, so that writing it again is writing the same one.
    pub pv: Value,
    /// The PersistentVolumeClaim; `None`: whoever runs the cluster makes it (static class).
    pub pvc: Option<Value>,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Made,
    /// It was there, by this very restore.
    There,
    /// Another object has its name: nothing was written. For people.
    InTheWay(String),
}

/// What keeps TiKV from starting before its volumes are there (`facts/restore.md` §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Operator v1: `spec.recoveryMode` of the TidbCluster, opened by an annotation on it.
    RecoveryMode,
    /// Claims of a storage class that nothing serves: each is opened by its PersistentVolume.
    StaticClass(String),
}

/// Whose objects: of a restore, on a TiDB cluster in this plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// `metadata.uid` of the VolumeRestore: label of everything that is written.
    pub restore: String,
    /// `tcNamespace`
    pub namespace: String,
    /// `tcName`
    pub cluster: String,
}

/// Writes what a restore needs. Needs rights that a plane without restores does not have (Role `isochron-restore`). Bounded in time.
#[async_trait]
pub trait Placement: Send + Sync {
    /// May all of it be written? The text names each right that is missing (SelfSubjectAccessReview).
    async fn may_place(&self, owner: &Owner, gate: &Gate) -> Result<Vec<String>, PortError>;
    /// Which gate does this cluster have, and is it closed? The text says why not.
    async fn gate(&self, owner: &Owner) -> Result<Result<Gate, String>, PortError>;
    /// Claims of its TiKV pods, bound or not.
    async fn claims(&self, owner: &Owner) -> Result<Vec<WaitingClaim>, PortError>;
    /// Writes a volume and its claim; PersistentVolume first.
    async fn put(&self, owner: &Owner, volume: &BoundVolume) -> Result<Put, PortError>;
    /// Lets TiKV start (recovery mode: the annotation; static class: nothing more to do). Again is the same.
    async fn open_gate(&self, owner: &Owner, gate: &Gate) -> Result<(), PortError>;
    /// Deletes the claims and PersistentVolumes of this restore that no pod has ever mounted; tells those that stay, with why.
    async fn take_away(&self, owner: &Owner) -> Result<Vec<String>, PortError>;
    /// Deletes the cluster's TiKV pods that started before `before` (Unix seconds), with a grace period of its own. How many were deleted.
    async fn restart_stores(&self, owner: &Owner, before: i64) -> Result<u32, PortError>;
    /// Recovery mode: `spec.recoveryMode` false and the annotation gone, so that TiFlash and TiDB start. Static class: nothing.
    async fn end_recovery_mode(&self, owner: &Owner, gate: &Gate) -> Result<(), PortError>;
}
