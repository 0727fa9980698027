//! A TiKV process and where it lives: address, instance, volumes, lease, prepare streams, waits.

use super::{kind::Kind, peer::Peer};
use crate::models::tikv::{Imports, Lease, Target};
use shared::ids::{RegionId, VolumeId};
use std::collections::{BTreeMap, BTreeSet};

/// A WaitApply under way in a region's peer (`facts/pd-tikv.md` §2.5).
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) target: Target,
    /// `Some(true)`: applied; `Some(false)`: the term changed.
    pub(crate) outcome: Option<bool>,
    /// The stream that asked.
    pub(crate) stream: u64,
}

pub(crate) struct Store {
    /// Name of the plane that it runs in.
    pub(crate) plane: String,
    /// Ordinal of its pod.
    pub(crate) ordinal: u32,
    pub(crate) address: String,
    pub(crate) data: VolumeId,
    /// `None`: the log lies on the data volume.
    pub(crate) raft: Option<VolumeId>,
    /// Large values apart from the rest; `None`: on the data volume.
    pub(crate) titan: Option<VolumeId>,
    pub(crate) peers: BTreeMap<RegionId, Peer>,
    /// SST files that were ever uploaded here.
    pub(crate) files: BTreeSet<u64>,
    /// Counts restarts: streams and leases belong to one process.
    pub(crate) process: u64,
    /// Wall clock at which the process started, milliseconds.
    pub(crate) started: i64,
    pub(crate) down_until: u64,
    pub(crate) lease: Lease,
    /// By the world's milliseconds.
    pub(crate) imports: Imports,
    /// The newest prepare stream; older ones are cut off.
    pub(crate) stream: u64,
    pub(crate) waits: BTreeMap<RegionId, Wait>,
}

impl Store {
    /// Its volumes, with what lies on each.
    pub(crate) fn volumes(&self) -> Vec<(Kind, &VolumeId)> {
        let apart =
            [self.raft.as_ref().map(|raft| (Kind::Raft, raft)), self.titan.as_ref().map(|of| (Kind::Titan, of))];
        [(Kind::Data, &self.data)].into_iter().chain(apart.into_iter().flatten()).collect()
    }
}
