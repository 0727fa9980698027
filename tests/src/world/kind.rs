//! The volumes of a store, by what lies on them.

/// What lies on a volume of a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Raft,
    Titan,
}

impl Kind {
    /// Where TiKV mounts it.
    pub(crate) const fn mount_path(self) -> &'static str {
        match self {
            Self::Data => "/var/lib/tikv",
            Self::Raft => "/var/lib/raft",
            Self::Titan => "/var/lib/titan",
        }
    }

    /// The key of TiKV's configuration.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Data => "storage.data-dir",
            Self::Raft => "raft-engine.dir",
            Self::Titan => "rocksdb.titan.dirname",
        }
    }
}
