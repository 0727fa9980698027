//! What snapshots hold of a TiKV server of ours: a file for each, named by the snapshot, so that a cluster which is restored
//! in another test process, or after the first cluster has ended, finds it.

use crate::models::{
    regions::{
        apply::Peers,
        kv::{Lock, Row, Rows, Write},
        peer::{Command, Descriptor, Entry, FIRST_INDEX, Peer},
    },
    restored::{Disk, Ident},
};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use shared::{
    ids::{ClusterId, RegionId, StoreId},
    ts::Ts,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
};

/// What lies on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Half {
    /// `storage.data-dir`: StoreIdent and rows.
    Data,
    /// `raft-engine.dir`: the log. Nothing of it is kept here but that it is there.
    Raft,
}

/// A version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Of the transaction that wrote it.
    pub start_ts: Ts,
    /// From when on it is seen.
    pub commit_ts: Ts,
    /// The value.
    pub value: i64,
}

/// A key with all that is kept of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Raw.
    pub key: Vec<u8>,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// start_ts of a transaction that is not committed.
    pub lock: Option<Ts>,
}

/// A copy of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyImage {
    /// PD's number.
    pub region: u64,
    /// Raw; empty: before all keys.
    pub start: Vec<u8>,
    /// Raw; empty: behind all keys.
    pub end: Vec<u8>,
    /// RegionEpoch.conf_ver
    pub conf_ver: u64,
    /// RegionEpoch.version
    pub version: u64,
    /// Members.
    pub stores: BTreeSet<StoreId>,
    /// Of the last entry.
    pub term: u64,
    /// Of the last entry.
    pub last_index: u64,
    /// By key.
    pub contents: Vec<Content>,
}

/// What one snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// StoreIdent's.
    pub cluster: ClusterId,
    /// StoreIdent's.
    pub store: StoreId,
    /// Which of the store's volumes.
    pub half: Half,
    /// On the data volume: everything.
    pub copies: Vec<CopyImage>,
}

/// A folder of them.
#[derive(Clone, Debug)]
pub struct Images {
    folder: PathBuf,
}

impl Images {
    /// In this folder, which is there.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, snapshot: &str) -> PathBuf {
        self.folder.join(format!("{snapshot}.json"))
    }

    /// Keeps what a snapshot holds.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, snapshot: &str, image: &Image) -> Result<()> {
        let path = self.path(snapshot);
        fs::write(&path, serde_json::to_vec(image)?).with_context(|| format!("{}", path.display()))
    }

    /// What a snapshot holds; `None`: nothing of TiKV's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(&self, snapshot: &str) -> Result<Option<Image>> {
        let path = self.path(snapshot);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display()))?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{}", path.display())),
        }
    }
}

impl Image {
    /// The store that starts on it.
    pub(super) fn disk(&self) -> Disk {
        let peers: Peers = self.copies.iter().map(|copy| (RegionId(copy.region), copy.peer())).collect();
        let commits = self.copies.iter().map(|copy| (RegionId(copy.region), copy.last_index)).collect();
        Disk::of_image(Ident { cluster: self.cluster, store: self.store }, peers, &commits)
    }
}

impl CopyImage {
    /// Its log says nothing but how far it goes.
    fn peer(&self) -> Peer {
        let region = Descriptor {
            start: self.start.clone(),
            end: self.end.clone(),
            conf_ver: self.conf_ver,
            version: self.version,
            peers: self.stores.clone(),
        };
        let mut peer = Peer::new(region, self.contents.iter().map(Content::row).collect::<Rows>());
        peer.first = self.last_index.max(FIRST_INDEX);
        peer.applied = peer.first - 1;
        let last = Entry { index: peer.first, term: self.term, mark: 0, command: Command::Noop };
        peer.log.push(Arc::new(last));
        peer
    }
}

impl Content {
    fn row(&self) -> (Vec<u8>, Row) {
        let writes: BTreeMap<Ts, Write> =
            self.versions.iter().map(|one| (one.commit_ts, Write::put(one.start_ts, one.value))).collect();
        let lock = self.lock.map(|start_ts| Lock { start_ts, primary: self.key.clone(), value: 0 });
        (self.key.clone(), Row { lock, writes })
    }
}
