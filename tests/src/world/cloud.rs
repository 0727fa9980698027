//! EC2 of all planes: its rules are the model's ([`crate::models::ec2`]); which store a volume belongs to and what a
//! snapshot holds is known here alone.

use super::{
    config::Ec2Config,
    image::{Half, StoreImage, VolumeImage},
};
use crate::models::ec2::{Ec2, Rate, Rules, Snapshot};
use plane_actor::ports::{SnapshotInfo, SnapshotState, Storage, Tier};
use shared::{
    ids::{InstanceId, SnapshotId, StoreId, VolumeId},
    time::Timestamp,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Other than root volumes and those of others on the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Data(StoreId),
    Raft(StoreId),
    /// Data and raft log.
    Whole(StoreId),
    /// Large values.
    Titan(StoreId),
}

impl Role {
    /// Of the store whose data lie there.
    pub(crate) fn data_of(self) -> Option<StoreId> {
        match self {
            Self::Data(store) | Self::Whole(store) => Some(store),
            Self::Raft(_) | Self::Titan(_) => None,
        }
    }
}

/// What a snapshot was made of.
pub(crate) struct Capture {
    pub(crate) plane: String,
    /// As given to the create call.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) content: Option<(Half, Arc<StoreImage>)>,
}

#[derive(Default)]
pub(crate) struct CloudState {
    pub(crate) ec2: Ec2,
    /// Volumes of TiKV, and where they belong.
    pub(crate) tikv: BTreeMap<VolumeId, (Role, InstanceId)>,
    /// Of every snapshot that was ever made.
    pub(crate) captures: BTreeMap<SnapshotId, Capture>,
    /// What stands on volumes that were made of snapshots, whatever became of those.
    pub(crate) restored: BTreeMap<VolumeId, VolumeImage>,
    /// Snapshots of other backups in each plane's account, which only fill pages.
    pub(crate) old: BTreeMap<String, usize>,
}

impl CloudState {
    pub(crate) fn new(config: &Ec2Config) -> Self {
        let lists = ["ListChangedBlocks", "ListSnapshotBlocks", "GetSnapshotBlock"].map(|action| (action, (50, 50)));
        let describes = [
            "DescribeVolumes",
            "DescribeInstances",
            "DescribeSnapshots",
            "ListSnapshotsInRecycleBin",
            "DescribeSnapshotAttribute",
            "DescribeAvailabilityZones",
            "DescribeVolumeStatus",
        ];
        let own = [
            ("CreateSnapshots", config.create_bucket),
            ("CreateSnapshot", config.create_bucket),
            ("DeleteSnapshot", config.delete_bucket),
            ("CreateVolume", config.create_bucket),
            ("DeleteVolume", config.delete_bucket),
        ];
        let all = own.into_iter().chain(lists).chain(describes.map(|action| (action, config.describe_bucket)));
        let bucket = |(action, (burst, refill)): (&str, _)| (action.to_owned(), Rate { burst, refill });
        let rules = Rules {
            volume_gap: config.per_volume,
            concurrent_per_volume: config.concurrent,
            buckets: all.map(bucket).collect(),
            ..Rules::default()
        };
        let mut cloud = Self::default();
        cloud.ec2.rules = rules;
        cloud
    }
}

pub(crate) fn info(id: &SnapshotId, kept: &Snapshot, now: Duration) -> SnapshotInfo {
    let state = match kept.state(now) {
        "pending" => SnapshotState::Pending,
        "completed" => SnapshotState::Completed,
        _ => SnapshotState::Error,
    };
    SnapshotInfo {
        snapshot: id.clone(),
        volume: VolumeId(kept.volume.clone()),
        state,
        progress: kept.progress(now),
        start_time: Timestamp(kept.start_ms),
        full_bytes: (state == SnapshotState::Completed).then_some(kept.full_bytes),
        message: kept.fails.clone().filter(|_| state == SnapshotState::Error).unwrap_or_default(),
        tags: kept.tags.clone().into_iter().collect(),
        storage: Storage {
            gib: kept.size.into(),
            tier: if kept.later.archived { Tier::Archive } else { Tier::Standard },
            encrypted: kept.later.key.is_some(),
            key: kept.later.key.clone().unwrap_or_default(),
        },
    }
}
