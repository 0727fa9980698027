//! What a coordinator needs of the world for restores.

use super::{
    error::PortError,
    event::{EventKind, WatchEvent},
};
use async_trait::async_trait;
use shared::{
    ids::RestoreUid,
    reason::Refusal,
    restoring::{RestoreCleanPolicy, RestoreRequest, View},
    time::Timestamp,
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// One VolumeRestore as the coordinator understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreObject {
    /// `metadata.uid`
    pub uid: RestoreUid,
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.creationTimestamp`
    pub created: Timestamp,
    /// `deletionTimestamp` is set (stand-alone: the file is gone).
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// `status.phase` as it stands, whoever's words they are.
    pub phase: String,
    /// The wish, or why it can never work (phase `Invalid`).
    pub request: Result<RestoreRequest, Refusal>,
    /// What becomes of what was made, when it is deleted.
    pub clean_policy: RestoreCleanPolicy,
    /// Annotation `isochron.pingcap.com/cancel: "true"`.
    pub cancel: bool,
    /// Annotation `isochron.pingcap.com/try-again`, any text: with each other one, what was refused is tried again at once.
    pub try_again: String,
}

impl RestoreObject {
    /// Its name in calls.
    pub fn reference(&self) -> RestoreRef {
        RestoreRef { uid: self.uid.clone(), namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// Names an object for status writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RestoreRef {
    /// `metadata.uid`
    pub uid: RestoreUid,
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

/// What happened to VolumeRestores.
pub type RestoreEvent = WatchEvent<RestoreUid, RestoreObject>;

/// What is written into an object's status.
#[derive(Clone, Debug)]
pub enum RestoreStatus {
    /// There is no record to derive from: this phase and why.
    Without(&'static str, Refusal),
    /// Derived from a restore.
    Of(Arc<View>),
}

/// VolumeRestores. Writes go as those of [`Objects`](super::Objects).
#[async_trait]
pub trait Restores: Send + Sync {
    /// Tells of them until the receiver is gone, like [`Source`](super::Source).
    async fn run(&self, events: mpsc::Sender<RestoreEvent>);
    /// Merges the status; writes nothing if nothing changed.
    async fn publish(&self, restore: &RestoreRef, status: &RestoreStatus) -> Result<(), PortError>;
    /// `tidb.pingcap.com/restore-protection`
    async fn add_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError>;
    /// Lets the object go.
    async fn remove_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError>;
    /// One event on the object.
    async fn event(&self, restore: &RestoreRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError>;
}

/// There are none, and nobody makes any.
pub struct NoRestores;

#[async_trait]
impl Restores for NoRestores {
    async fn run(&self, events: mpsc::Sender<RestoreEvent>) {
        // Whoever listens has gone, or hears nothing more.
        let _ = events.send(RestoreEvent::Synced).await;
        events.closed().await;
    }
    async fn publish(&self, restore: &RestoreRef, _: &RestoreStatus) -> Result<(), PortError> {
        Err(PortError::NotFound(restore.name.clone()))
    }
    async fn add_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        Err(PortError::NotFound(restore.name.clone()))
    }
    async fn remove_finalizer(&self, restore: &RestoreRef) -> Result<(), PortError> {
        Err(PortError::NotFound(restore.name.clone()))
    }
    async fn event(&self, restore: &RestoreRef, _: EventKind, _: &str, _: &str) -> Result<(), PortError> {
        Err(PortError::NotFound(restore.name.clone()))
    }
}
