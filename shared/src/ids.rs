//! Names of the things a backup is made of. One newtype each, so that a store can never stand where a region belongs.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);
        impl $name {
            /// Wraps a name; nothing is checked.
            pub fn new(text: impl Into<String>) -> Self { Self(text.into()) }
            /// The name as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.to_owned()) } }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
        }
    };
}

text_id! {
    /// A Kubernetes cluster with part of the TiDB cluster, and its plane actor (`spec.clusters[].k8sClusterName`).
    PlaneId
}
text_id! {
    /// `metadata.uid` of the VolumeBackup. Tags, records and messages go by it; the name may be used again.
    BackupUid
}
text_id! {
    /// `metadata.uid` of a VolumeRestore: tags, labels, records and messages go by it.
    RestoreUid
}
impl RestoreUid {
    /// As the holder of a claim: uids of objects of all kinds are of one space.
    pub fn as_holder(&self) -> BackupUid {
        BackupUid(self.0.clone())
    }
}
text_id! {
    /// An EBS volume, `vol-…`.
    VolumeId
}
text_id! {
    /// An EBS snapshot, `snap-…`.
    SnapshotId
}
text_id! {
    /// An EC2 instance, `i-…`.
    InstanceId
}
number_id! {
    /// PD's cluster id: never changes in the life of a TiDB cluster.
    ClusterId
}
number_id! {
    /// One TiKV instance, as PD numbers it.
    StoreId
}
number_id! {
    /// One TiKV region.
    RegionId
}

/// One try of one backup: what tags, `Complete` and `Clean` go by (the epoch fences, the attempt names).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Whose try.
    pub backup: BackupUid,
    /// Counts from 1 within the backup.
    pub number: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backup, self.number)
    }
}
