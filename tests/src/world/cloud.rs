//! EC2's memory: volumes, snapshots, token buckets (`facts/aws.md` A1–A7).

use super::image::{Half, StoreImage};
use plane_actor::ports::{SnapshotInfo, SnapshotState};
use shared::{
    ids::{InstanceId, SnapshotId, StoreId, VolumeId},
    time::Timestamp,
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Data(StoreId),
    Raft(StoreId),
    /// Somebody else's, on the same node.
    Foreign,
}

pub(crate) struct Volume {
    pub(crate) plane: String,
    pub(crate) instance: InstanceId,
    pub(crate) role: Role,
    /// When it was last snapshotted.
    pub(crate) snapshotted: Option<u64>,
}

pub(crate) struct Snapshot {
    pub(crate) volume: VolumeId,
    pub(crate) plane: String,
    /// EC2's clock.
    pub(crate) start_time: Timestamp,
    pub(crate) captured: u64,
    pub(crate) visible: u64,
    pub(crate) done: u64,
    pub(crate) fails: bool,
    /// DeleteSnapshot was accepted; a pending one goes only when it completes (`facts/aws.md` A5).
    pub(crate) deleted: bool,
    /// As given to the create call.
    pub(crate) tags: Vec<(String, String)>,
    /// Somebody took all of them off.
    pub(crate) stripped: bool,
    pub(crate) content: Option<(Half, Arc<StoreImage>)>,
    pub(crate) bytes: u64,
}

impl Snapshot {
    pub(crate) fn state(&self, now: u64) -> SnapshotState {
        match (now >= self.done, self.fails) {
            (false, _) => SnapshotState::Pending,
            (true, true) => SnapshotState::Error,
            (true, false) => SnapshotState::Completed,
        }
    }

    pub(crate) fn exists(&self, now: u64) -> bool {
        !self.deleted || self.state(now) == SnapshotState::Pending
    }

    pub(crate) fn info(&self, id: &SnapshotId, now: u64) -> SnapshotInfo {
        let state = self.state(now);
        let span = (self.done - self.captured).max(1);
        let progress = ((now.saturating_sub(self.captured)) * 100 / span).min(99);
        SnapshotInfo {
            snapshot: id.clone(),
            volume: self.volume.clone(),
            state,
            progress: if state == SnapshotState::Completed { 100 } else { progress as u8 },
            start_time: self.start_time,
            full_bytes: (state == SnapshotState::Completed).then_some(self.bytes),
            message: if state == SnapshotState::Error { "internal error".to_owned() } else { String::new() },
            tags: if self.stripped { Vec::new() } else { self.tags.clone() },
        }
    }
}

/// Tokens of one action, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u64,
    at: u64,
}

#[derive(Default)]
pub(crate) struct CloudState {
    pub(crate) volumes: BTreeMap<VolumeId, Volume>,
    pub(crate) snapshots: BTreeMap<SnapshotId, Snapshot>,
    pub(super) next: u64,
    /// By account, region and action: planes of one account share them.
    buckets: BTreeMap<(String, String, &'static str), Bucket>,
    /// Snapshots of other backups in each plane's account, which only fill pages.
    pub(crate) old: BTreeMap<String, usize>,
}

impl CloudState {
    /// Takes a token, or refuses (RequestLimitExceeded).
    pub(crate) fn admit(&mut self, key: (String, String, &'static str), limit: (u32, u32), now: u64) -> bool {
        let (burst, refill) = (u64::from(limit.0) * 1_000, u64::from(limit.1));
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: burst, at: now });
        bucket.tokens = (bucket.tokens + (now - bucket.at) * refill).min(burst);
        bucket.at = now;
        let admitted = bucket.tokens >= 1_000;
        if admitted {
            bucket.tokens -= 1_000;
        }
        admitted
    }

    /// Snapshots of a volume that take up a slot: pending or in error.
    pub(crate) fn unfinished(&self, volume: &VolumeId, now: u64) -> usize {
        self.snapshots
            .values()
            .filter(|snapshot| &snapshot.volume == volume && snapshot.exists(now))
            .filter(|snapshot| snapshot.state(now) != SnapshotState::Completed)
            .count()
    }
}
