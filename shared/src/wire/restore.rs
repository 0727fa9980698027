//! Orders of a restore and their answers. Whoever restarted knows nothing: each order says all that its work takes, and what it
//! needs of the backup is read from S3 again.

use super::{
    inspect::{Target, VolumeWish},
    verify::Finding,
};
use crate::{
    epoch::Epoch,
    ids::{BackupUid, ClusterId, RestoreUid, SnapshotId, StoreId, VolumeId},
    reason::Refusal,
    recovery::{Checked, FlashbackTimes, Led, Met, MetStore, Normal, RolledBack},
    request::{Credentials, S3Target},
    time::Millis,
    ts::Ts,
};
use serde::{Deserialize, Serialize};

/// Part of a restore, to one plane; only to planes whose `Hello` says that they restore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restore {
    /// Which.
    pub restore: RestoreUid,
    /// Its fencing token on the cluster that is restored into; [`Epoch::NONE`] before the claim, and where there is no cluster.
    pub epoch: Epoch,
    /// PD's cluster id of that cluster; `None`: it is not known yet, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// What this plane works by.
    pub spec: RestoreSpec,
    /// What to do.
    pub order: RestoreOrder,
}

/// What one plane needs to know of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreSpec {
    /// VolumeRestore name.
    pub name: String,
    /// VolumeRestore namespace.
    pub namespace: String,
    /// The TiDB cluster that is restored into, as this plane knows it; `None`: volumes are made, looked at and taken away again (a drill).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// It also speaks to PD and to all stores, for all planes.
    pub init: bool,
    /// The folder of this plane's part of the backup: the prefix is whole.
    pub storage: S3Target,
    /// Who this plane is towards AWS.
    pub credentials: Credentials,
    /// What the trust policy of [`Credentials::Role`] asks for; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_external_id: String,
    /// What the new volumes are to be.
    pub wish: VolumeWish,
    /// A backup without a certificate will do: its commitTs is believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
}

/// What a coordinator asks of a plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RestoreOrder {
    /// Look at backup and target, touch nothing.
    Look,
    /// Init plane: mark PD, and have its clock stand above this.
    Mark {
        /// Above everything in the snapshots.
        above: Ts,
    },
    /// Make a volume of every snapshot.
    Build,
    /// Wait until the data of all volumes is there.
    Warm,
    /// Tell Kubernetes of them.
    Place,
    /// Let TiKV start. From here on nothing is undone by itself.
    Start,
    /// Init plane: wait for the stores of the backup, and for nobody else.
    Meet {
        /// Of all planes.
        stores: Vec<StoreId>,
    },
    /// Init plane: have a leader elected for every region.
    Lead {
        /// PD hands out no id up to here.
        floor: u64,
    },
    /// Init plane: take the two timestamps of the flashback.
    Time {
        /// The moment that is restored.
        version: Ts,
        /// Above everything in the snapshots.
        above: Ts,
    },
    /// Init plane: flash every region back. The same times as often as it is asked for.
    RollBack(FlashbackTimes),
    /// Init plane: look at what is there now.
    Check {
        /// Between which moments content must be the same.
        times: FlashbackTimes,
        /// Of so many regions one is added up; 0: none.
        one_in: u32,
    },
    /// Init plane: take the mark away. After this nothing is flashed back any more.
    Unmark,
    /// Let TiKV start anew, as it always will.
    Restart {
        /// Processes that have started by then are those that are ended.
        stores: Vec<MetStore>,
    },
    /// Init plane: wait until every store runs without the mode and leads by itself.
    Settle {
        /// Those that were restarted.
        stores: Vec<MetStore>,
    },
    /// End the operator's recovery mode, and keep the certificate beside the backup.
    Finish {
        /// JSON text; empty: another plane keeps it.
        certificate: String,
    },
    /// Take away what was made.
    Undo {
        /// PD's mark was set by this restore, and no store has started under it.
        unmark: bool,
        /// The cluster was started: it goes with its volumes.
        started: bool,
    },
}

impl RestoreOrder {
    /// Its name, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Look => "Look",
            Self::Mark { .. } => "Mark",
            Self::Build => "Build",
            Self::Warm => "Warm",
            Self::Place => "Place",
            Self::Start => "Start",
            Self::Meet { .. } => "Meet",
            Self::Lead { .. } => "Lead",
            Self::Time { .. } => "Time",
            Self::RollBack(_) => "RollBack",
            Self::Check { .. } => "Check",
            Self::Unmark => "Unmark",
            Self::Restart { .. } => "Restart",
            Self::Settle { .. } => "Settle",
            Self::Finish { .. } => "Finish",
            Self::Undo { .. } => "Undo",
        }
    }
}

/// Plane to coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restored {
    /// Which restore.
    pub restore: RestoreUid,
    /// The epoch of the order answered.
    pub epoch: Epoch,
    /// What happened.
    pub answer: RestoreAnswer,
}

/// What a plane answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RestoreAnswer {
    /// To `Look`.
    Looked(Box<LookedAt>),
    /// To `Mark`: what PD's clock says now.
    Marked {
        /// Above what was asked for.
        now: Ts,
    },
    /// To `Build`.
    Built(Built),
    /// To `Warm`.
    Warmed,
    /// To `Place`.
    Placed {
        /// One for each snapshot, as it was read back.
        volumes: Vec<PlacedVolume>,
    },
    /// To `Start`.
    Started,
    /// To `Meet`.
    Met(Met),
    /// To `Lead`.
    Led(Led),
    /// To `Time`.
    Timed {
        /// The flashback's start_ts.
        start_ts: Ts,
        /// Its commit_ts.
        commit_ts: Ts,
    },
    /// To `RollBack`.
    RolledBack(RolledBack),
    /// To `Check`.
    Checked(Checked),
    /// To `Unmark`.
    Unmarked,
    /// To `Restart`.
    Restarted {
        /// Pods that were deleted.
        pods: u32,
    },
    /// To `Settle`.
    Settled(Normal),
    /// To `Finish`.
    Finished,
    /// To `Undo`.
    Undone(Undone),
    /// On the way, for people; also proves that the plane is alive.
    Progress(RestoreProgress),
    /// The order was not carried out.
    Refused(Refusal),
}

/// How far an order has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreProgress {
    /// Units done, as `text` says.
    pub done: u64,
    /// Units in all; 0: not known.
    pub total: u64,
    /// For people.
    pub text: String,
}

/// What the backup is and what the target is. Nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LookedAt {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// As backupmeta and certificate name it.
    pub backup: BackupUid,
    /// Its attempt.
    pub attempt: u32,
    /// The moment that is restored.
    pub commit_ts: Ts,
    /// Above everything in the snapshots, by the certificate; `None`: it has none, or is of a version that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ts>,
    /// The certificate is there, and says Consistent.
    pub proven: bool,
    /// [`digest`](crate::text::digest) of the certificate's text: all planes have the same one. Empty: there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// TiKV count of the whole TiDB cluster that was backed up.
    pub cluster_stores: u32,
    /// Stores whose volumes this plane restores.
    pub stores: Vec<StoreId>,
    /// Its snapshots, each once.
    pub snapshots: Vec<SnapshotId>,
    /// GiB of the volumes that would be made.
    pub gib: u64,
    /// AWS account of the plane's credentials.
    pub account: String,
    /// AWS Region of the volumes.
    pub region: String,
    /// PD's cluster id of the target; `None`: there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ClusterId>,
    /// PD's clock at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Ts>,
    /// The highest epoch this plane ever obeyed for the target.
    pub highest_epoch: Epoch,
}

/// The volumes are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Built {
    /// How many.
    pub volumes: u32,
    /// GiB of them.
    pub gib: u64,
    /// Of these: made anew because the first one ended in error.
    #[serde(default, skip_serializing_if = "crate::skip::zero")]
    pub replaced: u32,
    /// From the first call until the last one was available, as far as this process has seen.
    pub took: Millis,
}

/// The way from a snapshot to a pod, read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlacedVolume {
    /// Whose volume it was.
    pub store: StoreId,
    /// What was restored.
    pub snapshot: SnapshotId,
    /// What was made of it.
    pub volume: VolumeId,
    /// The claim that is bound to it.
    pub claim: String,
}

/// What was made is taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Undone {
    /// Volumes that were deleted.
    pub deleted: u32,
    /// What is still there, and why; at most 256 lines. It is asked for again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}
