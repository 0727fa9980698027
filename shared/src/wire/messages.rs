//! Orders (coordinator to plane) and their past participles (plane to coordinator).

use super::{
    CallBudgets, Clean, Cleaned, Diagnose, Diagnosed, Division, Inspect, Inspected, Measure, Measured, Progress,
    Restore, Restored, Scan, Scanned, Snapshot, Snapshotted, Verified, Verify, codec::MAX_FRAME_BYTES,
};
use crate::{
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, CoverDigest, Evidence, PreparedStore},
    ids::{Attempt, BackupUid, ClusterId},
    pack::{PackError, unpack},
    reason::{Reason, Refusal},
    request::MemberSpec,
    text::SharedText,
    time::{Millis, Timestamp},
    ts::Ts,
};
use serde::{Deserialize, Serialize};

/// Coordinator to plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Down {
    /// Part of an attempt.
    Order {
        /// Which try of which backup.
        attempt: Attempt,
        /// Its fencing token; [`Epoch::NONE`] before the claim.
        epoch: Epoch,
        /// What to do.
        order: Order,
    },
    /// A check that changes nothing, for a person who asks.
    Preflight(Preflight),
    /// Is this backup still whole? Changes nothing either; only to planes that said they know it.
    Verify(Verify),
    /// What lies in AWS that nothing names? Only to planes that said they know it.
    Scan(Scan),
    /// Which part of its accounts' calls it takes from now on. Not answered; only to planes that said they know it.
    Divide(Division),
    /// What do you know of yourself? Only to planes that said they know it.
    Diagnose(Diagnose),
    /// What would a restore of this backup take? Changes nothing either; only to planes that said they know it.
    Inspect(Inspect),
    /// Part of a restore; only to planes that said they restore.
    Restore(Box<Restore>),
}

/// Plane to coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Up {
    /// Answer to an order; carries the same attempt and epoch.
    Answer {
        /// Which try of which backup.
        attempt: Attempt,
        /// The epoch of the order answered.
        epoch: Epoch,
        /// What happened.
        answer: Answer,
    },
    /// Answer to `Preflight`.
    Preflighted(Preflighted),
    /// Answer to `Verify`.
    Verified(Verified),
    /// Answer to `Scan`.
    Scanned(Scanned),
    /// Answer to `Diagnose`.
    Diagnosed(Diagnosed),
    /// Answer to `Inspect`.
    Inspected(Inspected),
    /// Answer to `Restore`.
    Restored(Box<Restored>),
}

/// What a coordinator asks of a plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Look at everything, touch nothing.
    Prepare(Prepare),
    /// First touch, after the claim: persist the epoch, take the lock object, write clustermeta.
    Reserve,
    /// Hold PD (init plane), or ask every local leader for its safe_ts (all).
    Settle(Settle),
    /// One lease stream per local store.
    Suspend,
    /// Only after all `Suspended`.
    Cover(Cover),
    /// Only after all `Covered`.
    Snapshot(Snapshot),
    /// Only after all `Snapshotted`.
    Confirm,
    /// The good end, only after all `Confirmed`.
    Release,
    /// The bad end, at any time.
    Abort(Abort),
    /// Extends the plane's own lease; without it the plane aborts by itself.
    Renew(Renew),
    /// What have you saved for this attempt?
    Recover,
    /// Follow the snapshots to completion, write backupmeta and the certificate.
    Complete(Complete),
    /// Say how much these snapshots added; only to planes that said they can.
    Measure(Measure),
    /// Delete.
    Clean(Clean),
}

impl Order {
    /// Its name, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Prepare(_) => "Prepare",
            Self::Reserve => "Reserve",
            Self::Settle(Settle::HoldPd) => "Settle (PD)",
            Self::Settle(Settle::Leaders { .. }) => "Settle (leaders)",
            Self::Suspend => "Suspend",
            Self::Cover(_) => "Cover",
            Self::Snapshot(_) => "Snapshot",
            Self::Confirm => "Confirm",
            Self::Release => "Release",
            Self::Abort(_) => "Abort",
            Self::Renew(_) => "Renew",
            Self::Recover => "Recover",
            Self::Complete(_) => "Complete",
            Self::Measure(_) => "Measure",
            Self::Clean(_) => "Clean",
        }
    }
}

/// What a plane answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// To `Prepare`.
    Prepared(Prepared),
    /// To `Reserve`.
    Reserved(Reserved),
    /// To `Settle`.
    Settled(Settled),
    /// To `Suspend`.
    Suspended(Suspended),
    /// To `Cover`.
    Covered(Covered),
    /// To `Snapshot`.
    Snapshotted(Snapshotted),
    /// To `Confirm`.
    Confirmed(Confirmed),
    /// To `Release`.
    Released(Released),
    /// To `Abort`; also unasked, when the plane ended a hold of an epoch not yet confirmed.
    Aborted(Aborted),
    /// To `Renew`.
    Renewed(Renewed),
    /// To `Recover`.
    Recovered(Recovered),
    /// To `Complete`, at the end.
    Completed(Completed),
    /// To `Measure`.
    Measured(Measured),
    /// To `Clean`, at the end.
    Cleaned(Cleaned),
    /// On the way, for people; also proves that the plane is alive.
    Progress(Progress),
    /// The order was not carried out.
    Refused(Refusal),
}

/// See [`Order::Prepare`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prepare {
    /// Grows when a backup prepares anew (claim taken meanwhile); old answers die by it.
    pub round: u32,
    /// What this plane works by.
    pub spec: MemberSpec,
}

/// Discovery and checks; nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prepared {
    /// The round answered.
    pub round: u32,
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// PD's cluster version, without a leading v.
    pub cluster_version: String,
    /// Stores of this member.
    pub stores: Vec<PreparedStore>,
    /// Every store that can hold data, as this plane's PD lists it.
    pub cluster_stores: Vec<ClusterStore>,
    /// AWS account of the plane's credentials.
    pub account: String,
    /// AWS region of its volumes.
    pub region: String,
    /// The highest epoch this plane ever obeyed for this TiDB cluster.
    pub highest_epoch: Epoch,
    /// What its account may call; absent (planes of an earlier version): EC2's defaults, and CreateSnapshots alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<CallBudgets>,
}

/// The lock object names our backup uid, clustermeta is written, the epoch is saved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reserved {}

/// See [`Order::Settle`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Settle {
    /// Init plane, first: GC hold and scheduler hold.
    HoldPd,
    /// All planes: every local leader says its own safe_ts, above `gc_hold` and not older than the limit.
    Leaders {
        /// What GC stands still at.
        gc_hold: Ts,
    },
}

/// Answer to either step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Settled {
    /// To `HoldPd`.
    PdHeld {
        /// The service safe point that was accepted.
        gc_hold: Ts,
        /// Schedulers paused and read back.
        schedulers: Vec<String>,
    },
    /// To `Leaders`.
    Leaders {
        /// Regions asked.
        regions: u64,
        /// Least of what they said.
        least_safe_ts: Ts,
    },
}

/// Every local store is held on its own stream, first lease answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Suspended {
    /// Stores held.
    pub stores: u32,
}

/// See [`Order::Cover`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cover {
    /// Counts from 1; repeated when the tiling was not exact.
    pub round: u32,
    /// Last try: also look up and name what PD expects to be led here but no leader reported.
    pub name_missing: bool,
}

/// What the leaders here reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Covered {
    /// The round answered.
    pub round: u32,
    /// Count, sum, least safe_ts.
    pub digest: CoverDigest,
    /// Only when asked to name: at most 20 descriptions of regions.
    pub missing: Vec<String>,
}

/// The evidence, saved by the plane before this was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Confirmed {
    /// What was seen.
    pub evidence: Evidence,
}

/// Streams finished, PD resumed, safe point dropped (each also ends by itself).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Released {}

/// See [`Order::Abort`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Abort {
    /// Why, for the plane's log.
    pub reason: Reason,
}

/// Everything was let go; this attempt will never be confirmed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aborted {
    /// The cause, if it was the plane's own.
    pub cause: Option<Refusal>,
}

/// See [`Order::Renew`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Renew {
    /// Counts up within an attempt.
    pub number: u64,
}

/// The plane's lease was extended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Renewed {
    /// The renewal answered.
    pub number: u64,
}

/// What a plane has saved for an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Recovered {
    /// It confirmed: the evidence, word for word.
    Evidence(Evidence),
    /// It will never confirm: aborted, broken, restarted within the epoch, or never heard of.
    Aborted,
}

/// See [`Order::Complete`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Complete {
    /// A plane that restarted knows nothing.
    pub spec: MemberSpec,
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// PD's cluster version.
    pub cluster_version: String,
    /// Cluster-wide; stands in every backupmeta.
    pub commit_ts: Ts,
    /// TiKV count of the whole TiDB cluster.
    pub cluster_stores: u32,
    /// Stores of this member, as prepared.
    pub stores: Vec<PreparedStore>,
    /// The certified snapshots of this member.
    pub snapshots: Vec<AcceptedSnapshot>,
    /// The certificate as it goes beside backupmeta (JSON text); empty where `packed` has it.
    pub certificate: SharedText,
    /// The same, packed; only to planes that said they unpack it. Absent: it is in `certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<SharedText>,
}

impl Complete {
    /// With the certificate as it was before it was packed.
    ///
    /// # Errors
    /// It is damaged, or longer than any frame.
    pub fn unpacked(mut self) -> Result<Self, PackError> {
        if let Some(packed) = self.packed.take() {
            let text = String::from_utf8(unpack(&packed, MAX_FRAME_BYTES)?).map_err(|_| PackError::Form)?;
            self.certificate = text.into();
        }
        Ok(self)
    }
}

/// Snapshots are complete, backupmeta and certificate are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Completed {
    /// Sum of FullSnapshotSizeInBytes; 0 when not asked for.
    pub full_bytes: u64,
    /// Of how many snapshots EC2 did not tell it, though it was asked for.
    #[serde(default, skip_serializing_if = "crate::skip::zero")]
    pub unknown: u32,
    /// This plane can say how much its snapshots added; planes of earlier versions do not know the question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measures: bool,
    /// What a person should know although it is no failure; at most 20 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A check that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preflight {
    /// Ties the answer to the question.
    pub number: u64,
    /// As if it were a backup.
    pub spec: MemberSpec,
    /// Whose files under the prefix are no stranger's; absent: nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupUid>,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preflighted {
    /// Of which question.
    pub number: u64,
    /// In the order in which they were made.
    pub checks: Vec<PreflightCheck>,
    /// When it was sent, by the plane's wall clock; absent: the plane is of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What `Prepare` would have been answered, where every check is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Prepared>,
}

/// One line of a preflight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PreflightCheck {
    /// What was looked at.
    pub what: String,
    /// How long it took.
    pub took: Millis,
    /// What was found, or why it would be refused.
    pub result: Result<String, Refusal>,
    /// What a person should know although a backup would go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Refusal>,
}
