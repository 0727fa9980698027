//! The durable part of a backup: what the ledger holds, what `recover` starts from, and what status is derived from.
//! It holds no region lists and stays below 256 KiB (300 stores × 4 volumes at ~150 bytes).

use super::{
    certificate::Certificate,
    increments::Increments,
    moments::Moments,
    times::{BarrierTimes, Times},
};
use crate::{
    epoch::Epoch,
    evidence::{ClusterStore, PreparedStore},
    ids::{Attempt, BackupUid, ClusterId, PlaneId},
    reason::Refusal,
    request::{CleanPolicy, Request},
    time::Timestamp,
    trace::TraceId,
    ts::Ts,
    verify::Verification,
    wire::{CallBudgets, CleanReport},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far an attempt durably is. Each save is a fence: what the milestone allows is sent only after it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Milestone {
    /// Nothing was touched; no epoch.
    Preparing,
    /// The epoch is saved; planes may have been touched. A restart aborts.
    Barrier,
    /// commitTs is saved; snapshots may exist. A restart asks every plane for its evidence.
    Snapshotting,
    /// The certificate is saved; only completion is left. Nothing but the user or an `error` snapshot ends it.
    Certified,
    /// Snapshots completed, metadata written. Terminal until deletion.
    Complete,
    /// Ending badly: aborts and the cleaning of this attempt are under way.
    Aborting,
    /// Ended badly. Terminal until deletion.
    Failed,
    /// The object was deleted: what the policy says is being deleted.
    Cleaning,
    /// Everything that had to go is gone; the finalizer may go, then this record.
    Cleaned,
}

/// One backup's record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The wish, as first seen: edits of the object in the middle change nothing.
    pub request: Request,
    /// How far.
    #[serde(rename = "stage")] // Its name in what is stored already.
    pub milestone: Milestone,
    /// Number of the current attempt, from 1.
    pub attempt: u32,
    /// Its fencing token; NONE while preparing.
    pub epoch: Epoch,
    /// Once prepared.
    pub cluster: Option<ClusterId>,
    /// Once prepared.
    pub cluster_version: String,
    /// Every store that can hold data, as the init plane's PD listed them.
    pub cluster_stores: Vec<ClusterStore>,
    /// Per plane of the request.
    pub planes: BTreeMap<PlaneId, PlaneRecord>,
    /// Fixed once per attempt, after the last `Covered`, before the first `Snapshot` (I4).
    pub commit_ts: Option<Ts>,
    /// Saved before anything calls the backup good.
    pub certificate: Option<Certificate>,
    /// Why it ended badly.
    pub failure: Option<Refusal>,
    /// The object is being deleted.
    pub deleting: bool,
    /// Last clean report had leftovers.
    pub clean_failure: Option<String>,
    /// Clock readings of the attempt, for people.
    pub barrier: BarrierTimes,
    /// Wall-clock moments, for people.
    pub times: Times,
    /// When the attempt came to each step, and who had answered it when.
    #[serde(default, skip_serializing_if = "Moments::is_empty")]
    pub moments: Moments,
    /// Another object than the one that began this backup has it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// Made for the deletion of a backup that the old manager made: what is there is found by its `backupmeta` alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old_manager: bool,
    /// How it was found when it was last looked at as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verification>,
}

/// How a record came to another object. Planes, tags and S3 go on to know the backup by `request.backup`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Adopted {
    /// `metadata.uid` of the object that has it now, and the record's name in the ledger.
    pub object: BackupUid,
    /// The record's name in the ledger before: what is still there under it is a left-over of the adoption.
    pub from: BackupUid,
}

/// What the record holds of one plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaneRecord {
    /// Stores as prepared.
    pub stores: Vec<PreparedStore>,
    /// AWS account.
    pub account: String,
    /// AWS region.
    pub region: String,
    /// What that account may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<CallBudgets>,
    /// The least safe_ts that this plane reported over its last cover.
    pub least_safe_ts: Option<Ts>,
    /// This plane wrote backupmeta; the full size of its snapshots in bytes, as far as it was told.
    pub completed_bytes: Option<u64>,
    /// Of how many of them EC2 did not tell it, though it was asked for.
    #[serde(default, skip_serializing_if = "crate::skip::zero")]
    pub unknown_sizes: u32,
    /// How much its snapshots added; `None`: nobody asks for it, or this plane cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increments: Option<Increments>,
    /// What it said beside that, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// This plane let go of the aborted attempt.
    pub aborted: bool,
    /// This plane cleaned what the current milestone asks for.
    pub cleaned: Option<CleanReport>,
    /// It has not: S3 proves this attempt there, and all of it was kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// An admin gave this plane up knowingly; it is not waited for.
    pub abandoned: bool,
}

impl PlaneRecord {
    /// What this plane wants a person to know although it is no failure; `None`: nothing.
    pub fn remark(&self) -> Option<String> {
        let cleaned = self.cleaned.iter().flat_map(|report| report.notes.iter());
        let notes: Vec<&str> = self.notes.iter().chain(cleaned).map(String::as_str).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

impl Record {
    /// By which id the present attempt is followed.
    #[must_use]
    pub fn trace(&self) -> TraceId {
        TraceId::of(&Attempt { backup: self.request.backup.clone(), number: self.attempt })
    }

    /// A new wish.
    pub fn new(request: Request, started: Timestamp) -> Self {
        let planes = request.members.iter().map(|m| (m.plane.clone(), PlaneRecord::default())).collect();
        Self {
            request,
            milestone: Milestone::Preparing,
            attempt: 1,
            epoch: Epoch::NONE,
            cluster: None,
            cluster_version: String::new(),
            cluster_stores: Vec::new(),
            planes,
            commit_ts: None,
            certificate: None,
            failure: None,
            deleting: false,
            clean_failure: None,
            barrier: BarrierTimes::default(),
            times: Times { started: Some(started), ..Times::default() },
            moments: Moments::default(),
            adopted: None,
            old_manager: false,
            verified: None,
        }
    }

    /// The record of a backup whose own one is lost, made when its object is deleted under a policy that deletes.
    pub fn to_clean(request: Request, attempt: u32, now: Timestamp) -> Self {
        let mut record = Self::new(request, now);
        record.attempt = attempt.max(1);
        record.milestone = Milestone::Cleaning;
        record.deleting = true;
        record.times = Times { deleted: Some(now), ..Times::default() };
        record
    }

    /// It is the one that was kept under this name before.
    pub fn is_adopted_from(&self, from: &BackupUid) -> bool {
        self.adopted.as_ref().is_some_and(|adopted| adopted.from == *from)
    }

    /// The same backup as `object` has it from now on, under the policy that this object names.
    #[must_use]
    pub fn adopted_by(&self, object: BackupUid, policy: CleanPolicy) -> Self {
        let mut adopted = self.clone();
        adopted.request.clean_policy = policy;
        adopted.adopted = Some(Adopted { object, from: self.key().clone() });
        adopted
    }

    /// The object that has this backup, and the record's name in the ledger.
    pub fn key(&self) -> &BackupUid {
        self.adopted.as_ref().map_or(&self.request.backup, |adopted| &adopted.object)
    }

    /// The attempt that messages name.
    pub fn attempt_id(&self) -> Attempt {
        Attempt { backup: self.request.backup.clone(), number: self.attempt }
    }
}

/// The durable right to run an attempt on one TiDB cluster. It is never deleted, because the epoch must grow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Of which TiDB cluster.
    pub cluster: ClusterId,
    /// The highest epoch ever granted.
    pub epoch: Epoch,
    /// Who holds it now.
    pub live: Option<ClaimHolder>,
}

/// The attempt that a claim names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClaimHolder {
    /// Whose.
    pub backup: BackupUid,
    /// Which attempt.
    pub attempt: u32,
}
