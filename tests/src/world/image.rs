//! What a snapshot holds: the state of a store at the call. A store's data volume has the applied rows, its raft volume
//! the log; only both together can be started again.

use super::apply::Peers;
use shared::{
    ids::{RegionId, SnapshotId, StoreId},
    ts::Ts,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One store at one moment.
#[derive(Clone, Debug)]
pub(crate) struct StoreImage {
    pub(crate) store: StoreId,
    pub(crate) plane: String,
    /// Milliseconds of the world.
    pub(crate) at: u64,
    /// Order of causes.
    pub(crate) mark: u64,
    pub(crate) gc_safe_point: Ts,
    pub(crate) peers: Peers,
    /// Commit index of each region: what a restart applies by itself.
    pub(crate) commits: BTreeMap<RegionId, u64>,
    pub(crate) files: BTreeSet<u64>,
    /// The raft log lies on the node's own disk, and on no volume.
    pub(crate) raft_lost: bool,
    /// Large values lie on a volume of their own.
    pub(crate) titan_apart: bool,
    /// A TiKV whose prepare lease does not stop log compaction.
    pub(crate) compacting: bool,
}

/// What stands on one volume of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Data,
    Raft,
    /// Both: the raft log lies on the data volume.
    Whole,
    /// Neither: large values, of which this world has none, but which a store does not start without.
    Titan,
}

/// The content of one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct VolumeImage {
    /// `None`: taken without EC2, for a control.
    pub(crate) snapshot: Option<SnapshotId>,
    pub(crate) half: Half,
    pub(crate) image: Arc<StoreImage>,
}

/// A set of volume images and the moment to roll back to: what restore and oracle judge.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Everything committed later is thrown away.
    pub commit_ts: Ts,
    pub(crate) volumes: Vec<VolumeImage>,
}

impl Cut {
    /// Time between the first and the last capture, in milliseconds.
    pub fn spread_ms(&self) -> u64 {
        let times = || self.volumes.iter().map(|volume| volume.image.at);
        times().max().unwrap_or(0) - times().min().unwrap_or(0)
    }

    /// Stores whose hold was none in the full sense: to be called weaker.
    pub fn compacting(&self) -> BTreeSet<StoreId> {
        let images = self.volumes.iter().map(|volume| &volume.image);
        images.filter(|image| image.compacting).map(|image| image.store).collect()
    }

    /// Volumes in the cut.
    pub fn volumes(&self) -> usize {
        self.volumes.len()
    }
}
