//! Is a backup that was certified still there, whole and restorable? A question that reads only, about one plane's part.

use crate::{
    ids::{Attempt, ClusterId, SnapshotId, VolumeId},
    request::MemberSpec,
    text::SharedText,
    time::{Millis, Timestamp},
    ts::Ts,
};
use serde::{Deserialize, Serialize};

/// Looks at one plane's part of a Complete backup; only to planes whose `Hello` says that they know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verify {
    /// Ties the answer to the question. Of what is too much to be looked at as a whole, it chooses the part.
    pub number: u64,
    /// As tags and the lock name it.
    pub attempt: Attempt,
    /// A plane that restarted knows nothing.
    pub spec: MemberSpec,
    /// As tags name it.
    pub cluster: ClusterId,
    /// Must stand in backupmeta.
    pub commit_ts: Ts,
    /// This plane's part of the certificate.
    pub snapshots: Vec<CertifiedSnapshot>,
    /// Sum of their full sizes as they were told at completion; `None`: not of every one, or nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_bytes: Option<u64>,
    /// The certificate as the record has it (JSON text, as in `Complete`).
    pub certificate: SharedText,
}

/// One snapshot that the certificate names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CertifiedSnapshot {
    /// Of which volume.
    pub volume: VolumeId,
    /// Which.
    pub snapshot: SnapshotId,
    /// Where the volume was; empty: not known.
    pub zone: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verified {
    /// Of which question.
    pub number: u64,
    /// In the order in which they were looked at.
    pub findings: Vec<Finding>,
    /// When it was sent, by the plane's wall clock.
    pub at: Timestamp,
    /// Calls of AWS that were made for it.
    pub calls: u32,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// A word of [`crate::verify::Subject`]; a later version may know more of them.
    pub subject: String,
    /// How long it took.
    pub took: Millis,
    /// How it is.
    pub state: FindingState,
    /// What was found, for people.
    pub text: String,
}

/// How a thing that was looked at is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingState {
    /// It holds.
    Sound,
    /// It may hold: what would tell may not be asked.
    Doubtful,
    /// It was not looked at: no time, or a barrier needed every call.
    Unchecked,
    /// It does not hold.
    Broken,
}
