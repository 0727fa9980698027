//! What would a restore of a Complete backup take, and would it work? A question that reads only, about one plane's part.

use super::verify::{Finding, Verify};
use crate::{
    ids::{SnapshotId, StoreId, VolumeId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Volumes that a plane tells of: with names of the usual length a quarter of what a frame takes. The largest planes known have
/// some hundreds.
pub const SOURCES_MAX: usize = 4096;

/// Looks at one plane's part of a Complete backup as the first step of a restore; only to planes whose `Hello` says that they
/// know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inspect {
    /// Is it still whole? Its number ties the answer to the question.
    pub verify: Verify,
    /// PD's cluster version when it was backed up, without a leading v.
    pub cluster_version: String,
    /// The volumes that would be made.
    pub wish: VolumeWish,
    /// The TiDB cluster that would be restored into, as this plane knows it; `None`: nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What the new volumes are to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeWish {
    /// Availability zone by the zone that a volume was in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zones: BTreeMap<String, String>,
    /// Where `zones` does not say; `None`: the zone that it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Type and performance.
    pub kind: VolumeKind,
    /// VolumeInitializationRate, MiB/s; `None`: data comes when they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

impl VolumeWish {
    /// What a restore makes to which nobody says otherwise (`facts/restore.md` §2.5).
    #[must_use]
    pub fn plain() -> Self {
        let kind = VolumeKind { name: "gp3".to_owned(), iops: None, throughput: None };
        Self { zones: BTreeMap::new(), zone: None, kind, rate: None }
    }

    /// Where a volume goes that was in this zone.
    pub fn zone_for<'a>(&'a self, from: &'a str) -> &'a str {
        self.zones.get(from).or(self.zone.as_ref()).map_or(from, String::as_str)
    }
}

/// A type of EBS volumes, and how fast they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeKind {
    /// EC2's word: gp3, io2, …
    pub name: String,
    /// `None`: what the type has by itself, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// MiB/s. `None`: what the type has by itself, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
}

/// A TiDB cluster within a plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// `tcNamespace`
    pub namespace: String,
    /// `tcName`
    pub name: String,
}

/// What was found, and what there is to restore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inspected {
    /// Of which question.
    pub number: u64,
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// One for each snapshot of the question, at most [`SOURCES_MAX`].
    pub sources: Vec<Source>,
    /// Sources above that.
    #[serde(default, skip_serializing_if = "crate::skip::zero_u64")]
    pub more: u64,
    /// Where the volumes would be made; `None`: the credentials were not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<RestorePlace>,
    /// When it was sent, by the plane's wall clock.
    pub at: Timestamp,
    /// Calls of AWS that were made for it.
    pub calls: u32,
}

/// An account in a Region, and what it may have there of the type that is wished for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RestorePlace {
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// GiB that volumes of the type may have together; `None`: nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_gib: Option<u64>,
    /// GiB that they have; `None`: not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_gib: Option<u64>,
    /// MiB/s at which all volumes together may be initialised.
    pub initialization: u32,
}

/// A snapshot, and what a volume of it has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Of which it was taken.
    pub volume: VolumeId,
    /// Which.
    pub snapshot: SnapshotId,
    /// Whose volume it was, by backupmeta; `None`: backupmeta does not name the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// Name of its PersistentVolumeClaim, by backupmeta; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// The volume's name within a pod and the pod's ordinal, read from the claim's; `None`: it has no such name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PodPlace>,
    /// What lies on it: `storage.data-dir`, or the configuration key it serves, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Where the volume was; empty: not known.
    pub zone: String,
    /// GiB of the volume; 0: EC2 does not show the snapshot.
    pub gib: u64,
    /// Bytes in the snapshot; `None`: EC2 does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The snapshot is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// ARN of its key; empty: none, or not told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What the volume is today; `None`: it is gone, or EC2 did not tell. A backup does not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<VolumeKind>,
}

/// Which volume of which pod: all that a restore goes by (`facts/restore.md` §2.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodPlace {
    /// `tikv`, `tikv-raft`, …
    pub name: String,
    /// Of the pod.
    pub ordinal: u32,
}
