//! What a coordinator needs of the world, as traits. Actors know these and nothing behind them; `main.rs` joins them to
//! Kubernetes or to a directory, the demo and the simulation to doubles.

mod error;
mod event;
mod manifests;
mod published;
mod restores;
mod schedules;
mod traces;

pub use error::PortError;
pub use event::{EventKind, WatchEvent};
pub use manifests::{API_VERSION, Applied, Kind, Manifests, Named, NoManifests};
pub use published::{By, Published, PublishedRow};
pub use restores::{NoRestores, RestoreEvent, RestoreObject, RestoreRef, RestoreStatus, Restores};
pub use schedules::{Schedule, ScheduleEvent, ScheduleRef, Scheduled, Schedules};
pub use shared::barrier::LEDGER_TEXT_MAX;
pub use traces::{EndedAttempt, NoTraces, Traces};

use crate::standing::Standing;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use shared::{
    barrier::View,
    ids::{BackupUid, ClusterId, PlaneId, RestoreUid},
    reason::Refusal,
    request::{CleanPolicy, Request},
    time::Timestamp,
    wire::{Hello, Welcome},
};
use shell::link::{Link, Role};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, watch};

/// Everything a coordinator is joined to.
#[derive(Clone)]
pub struct Ports {
    /// Where VolumeBackup objects come from.
    pub source: Arc<dyn Source>,
    /// The record of truth.
    pub ledger: Arc<dyn Ledger>,
    /// Where status, events and finalizers go.
    pub objects: Arc<dyn Objects>,
    /// VolumeBackupSchedules, and the backups that they make.
    pub schedules: Arc<dyn Schedules>,
    /// Objects as people write them by the console.
    pub manifests: Arc<dyn Manifests>,
    /// VolumeRestores.
    pub restores: Arc<dyn Restores>,
    /// What this process logs.
    pub logs: Arc<dyn Logs>,
    /// Where traces of attempts go.
    pub traces: Arc<dyn Traces>,
    /// Wall clock; goes into records and status only.
    pub wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What this process logs: shown and changed on the console, and steered by nothing else.
pub trait Logs: Send + Sync {
    /// The filter, as `--log` takes it.
    ///
    /// # Errors
    /// For people: there is none.
    fn filter(&self) -> Result<String, String>;
    /// Another one, until the process ends.
    ///
    /// # Errors
    /// For people: it cannot be read.
    fn set_filter(&self, filter: &str) -> Result<(), String>;
    /// The last lines that were logged, oldest first; bounded.
    fn recent(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One VolumeBackup as the coordinator understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `metadata.uid` (stand-alone: derived from file content's identity, see `edge/local`).
    pub uid: BackupUid,
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
    /// What its own status says; `None` where there is none, or one that came with a copy.
    pub published: Option<Published>,
    /// `spec.template.cleanPolicy`, whatever else is wrong with the spec; `None`: it cannot be read.
    pub clean_policy: Option<CleanPolicy>,
    /// The wish, or why it can never work (phase `Invalid`).
    pub request: Result<Request, Refusal>,
    /// Annotation `isochron.pingcap.com/cancel: "true"`.
    pub cancel: bool,
    /// Annotation `isochron.pingcap.com/try-again`, any text: with each other one, what was refused is tried again at once.
    pub try_again: String,
    /// Annotation `isochron.pingcap.com/abandon-planes: a,b`: planes that an admin gives up knowingly, so that a
    /// deletion does not wait for them.
    pub abandoned: Vec<PlaneId>,
    /// A schedule made it.
    pub scheduled: Option<Scheduled>,
}

/// What happened to VolumeBackups.
pub type ObjectEvent = WatchEvent<BackupUid, Object>;

/// Watches VolumeBackup objects.
#[async_trait]
pub trait Source: Send + Sync {
    /// Runs until the receiver is gone; lists, watches, relists with back-off, and resyncs every 30 s.
    async fn run(&self, events: mpsc::Sender<ObjectEvent>);
}

/// What the ledger's objects are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerKey {
    /// `isochron-record-<backup uid>`
    Record(BackupUid),
    /// `isochron-claim-<cluster id>`
    Claim(ClusterId),
    /// `isochron-restore-<restore uid>`
    Restore(RestoreUid),
}

/// Compare-and-set token (resourceVersion; stand-alone: a content hash or counter).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub String);

/// One ledger object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub key: LedgerKey,
    /// JSON text; the ledger does not look inside.
    pub body: String,
    /// What a write must name.
    pub version: Version,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// JSON text of at most [`LEDGER_TEXT_MAX`] bytes.
    pub body: &'a str,
    /// Stands beside it and is listed without it: at most some hundred bytes, or empty.
    pub note: &'a str,
}

/// A record as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Whose.
    pub backup: BackupUid,
    /// As written; empty where a version before this one wrote.
    pub note: String,
    /// What a write must name.
    pub version: Version,
    /// Length of its text, where that is known without reading it.
    pub bytes: Option<u64>,
}

/// The coordinator's own durable objects, which nobody else writes.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Every record there is, without its text: ten thousand take a second or two.
    async fn records(&self) -> Result<Vec<Noted>, PortError>;
    /// Every claim: one small object for each TiDB cluster.
    async fn claims(&self) -> Result<Vec<Entry>, PortError>;
    /// Every record of a restore: a handful.
    async fn restores(&self) -> Result<Vec<Entry>, PortError>;
    /// One object.
    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError>;
    /// Durable when it returns. `expected` `None`: must not exist yet. `Conflict` when that does not hold; `Refused` for
    /// what will never be taken.
    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError>;
    /// Would a write be taken? Nothing is written.
    async fn may_write(&self) -> Result<(), PortError>;
    /// Removes an object if it still has this version; absent is success.
    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError>;
}

/// Names an object for status writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// `metadata.uid`
    pub uid: BackupUid,
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

/// What is written into an object's status.
#[derive(Clone, Debug)]
pub enum Status {
    /// There is no record to derive from: this phase and why. `Invalid`: the spec can never work; `Failed`, `CleanFailed`:
    /// the record is lost, or was the old manager's. All else stays as it is.
    Without(&'static str, Refusal),
    /// Derived from a barrier.
    Barrier(Arc<View>),
}

/// What stands behind the deletion of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Teardown {
    /// Nothing: somebody deleted the object.
    None,
    /// Its namespace or its CRD goes, and it with them; the text says which.
    Of(String),
    /// That may not be read; the text says why.
    Unknown(String),
}

/// Writes what users see. Every call merges into the newest object and retries conflicts itself; an object that is gone
/// or has another uid is `NotFound`.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Merges the status; writes nothing if nothing changed.
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError>;
    /// `tidb.pingcap.com/backup-protection`
    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError>;
    /// Lets the object go.
    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError>;
    /// Does the namespace, or the kind itself, go at this moment? Asked after an object was seen to be deleted, so the
    /// answer is about the cause of that.
    async fn teardown(&self, _namespace: &str) -> Result<Teardown, PortError> {
        Ok(Teardown::None)
    }
    /// Is this very object still there? Asked after `teardown` found nothing: while an object is there, so is what it lives
    /// in, and a teardown that began before the answer would have been seen. One that is gone may have taken its namespace
    /// with it, and somebody may have made another one of that name.
    async fn is_there(&self, _object: &ObjectRef) -> Result<bool, PortError> {
        Ok(true)
    }
    /// One event on the object.
    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError>;
}

/// What is done with whoever dialled in.
pub type Answer = Box<dyn FnOnce(Result<Welcome, String>) -> BoxFuture<'static, Result<Link, PortError>> + Send>;

/// A plane that dialled in and said `Hello`; it is up once `answer` has returned a link.
pub struct IncomingPlane {
    /// As its certificate says.
    pub plane: PlaneId,
    /// What it said.
    pub hello: Hello,
    /// Sends `Welcome` and opens the link, where this coordinator leads; or refuses the plane for what is said, which a person reads
    /// there.
    pub answer: Answer,
}

/// A question of an admin. The body and every reply are JSON texts (`console`).
pub struct AdminCall {
    /// Name in its certificate.
    pub who: String,
    /// What that certificate allows.
    pub role: Role,
    /// The question.
    pub body: Bytes,
    /// Replies, in order; dropping it ends the answer.
    pub reply: mpsc::Sender<Bytes>,
}

/// What comes in.
pub struct Inbound {
    /// Planes.
    pub planes: mpsc::Receiver<IncomingPlane>,
    /// Admins.
    pub admins: mpsc::Receiver<AdminCall>,
    /// Does this replica lead? While false, planes are told to look elsewhere and nothing is acted on.
    pub leading: watch::Receiver<bool>,
    /// Where this replica stands, for probes; and whom it names while it does not lead.
    pub standing: Arc<Standing>,
    /// Every plane that may be named in `spec.clusters`; others are `Invalid/PlaneUnknown`. It may change.
    pub known: watch::Receiver<BTreeSet<String>>,
    /// Each is a demand to end: the first lets the barriers under way finish, the second aborts them.
    pub stops: mpsc::Receiver<()>,
}
