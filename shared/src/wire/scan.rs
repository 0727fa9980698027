//! What lies in AWS that nothing names any more: a question that reads only, unless a person says what may go.

use super::CleanReport;
use crate::{ids::BackupUid, request::MemberSpec, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Places of one question: each is connected to and listed on its own.
pub const PLACES_MAX: usize = 8;
/// Prefixes of one place; each is listed.
pub const FOLDERS_MAX: usize = 64;
/// Backups that one question says are known: with uids of 36 bytes they take half of a frame.
pub const KNOWN_MAX: usize = 40_000;
/// Findings of one place in an answer; the others are counted.
pub const UNNAMED_MAX: usize = 256;

/// Looks through what this plane has made in AWS; only to planes whose `Hello` says that they know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scan {
    /// Ties the answer to the question.
    pub number: u64,
    /// As whom, and where in S3; at most [`PLACES_MAX`].
    pub places: Vec<Place>,
    /// What has a record or an object, restores by their uids among it; at most [`KNOWN_MAX`].
    pub known: Vec<Known>,
    /// A person's word that what is found of this backup may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<BackupUid>,
}

/// One identity and one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Of any backup there.
    pub spec: MemberSpec,
    /// Prefixes as users wrote them, without this plane's part; at most [`FOLDERS_MAX`].
    pub folders: Vec<String>,
}

/// A backup that is no orphan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Known {
    /// As tags and locks name it.
    pub backup: BackupUid,
    /// It has ended, and of this attempt alone something is kept; `None`: whatever there is of it is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scanned {
    /// Of which question.
    pub number: u64,
    /// In the question's order; shorter where time or calls were used up.
    pub places: Vec<ScannedPlace>,
    /// Calls of AWS that were made for it.
    pub calls: u32,
}

/// What one place holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScannedPlace {
    /// Of the credentials; empty: they were not accepted.
    pub account: String,
    /// In which was looked.
    pub region: String,
    /// In which was looked.
    pub bucket: String,
    /// Snapshots there that this plane has made, whoever's they are.
    pub snapshots: u64,
    /// The oldest first, at most [`UNNAMED_MAX`].
    pub found: Vec<Unnamed>,
    /// Findings above that.
    #[serde(default, skip_serializing_if = "crate::skip::zero_u64")]
    pub more: u64,
    /// Volumes of restores that nothing knows; at most [`UNNAMED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<UnnamedVolumes>,
    /// What was not looked at, and why: nothing is said of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// What a person's word came to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<CleanReport>,
}

/// What a backup, or one attempt of it, has left, that no record and no object names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unnamed {
    /// As tags and the lock name it.
    pub backup: BackupUid,
    /// 0: not told.
    pub attempt: u32,
    /// As tags name it; empty: not told.
    pub namespace: String,
    /// As tags name it; empty: not told.
    pub name: String,
    /// PD's cluster id, as tags name it; empty: not told.
    pub cluster: String,
    /// `s3://BUCKET/PREFIX` of its files; empty: not told.
    pub path: String,
    /// There are such files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub files: bool,
    /// Their certificate says that it is a backup: it is no orphan, though nothing here knows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub certified: bool,
    /// How many.
    pub snapshots: u64,
    /// Sum of their volumes' sizes; what is billed is less.
    pub gib: u64,
    /// When the first one was taken, by EC2's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Why a person's word does not delete it; `None`: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// What a restore has left: volumes that bear its tag and are attached to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnnamedVolumes {
    /// `metadata.uid` of the VolumeRestore, as tags name it.
    pub restore: BackupUid,
    /// As tags name it; empty: not told.
    pub namespace: String,
    /// As tags name it; empty: not told.
    pub name: String,
    /// How many.
    pub volumes: u64,
    /// Sum of their sizes: all of it is billed.
    pub gib: u64,
    /// When the first one was made, by EC2's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Why a person's word does not delete them; `None`: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}
