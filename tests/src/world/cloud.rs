//! EC2's memory: volumes, snapshots, token buckets (`facts/aws.md` A1–A7).

use super::{
    engine::{State, millis},
    image::{Cut, Half, StoreImage, VolumeImage},
};
use plane_actor::ports::{SnapshotInfo, SnapshotState};
use shared::{
    ids::{InstanceId, SnapshotId, StoreId, VolumeId},
    time::Timestamp,
    ts::Ts,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// Bytes of an empty file system; rows come on top.
const BASE_BYTES: u64 = 64 * 1024 * 1024;
/// EBS counts whole blocks (`facts/aws.md` A6).
const BLOCK_BYTES: u64 = 512 * 1024;

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
    next: u64,
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

impl State {
    /// The capture itself: every volume of the call at this very moment.
    pub(crate) fn snapshot_volumes(
        &mut self,
        plane: &str,
        volumes: &[VolumeId],
        tags: &[(String, String)],
        fails: bool,
    ) -> Vec<(VolumeId, SnapshotId, Timestamp)> {
        let skew = self.config.planes.iter().find(|kept| kept.name == plane).map_or(0, |kept| kept.ec2_skew_ms);
        let start_time = Timestamp(self.wall().0 + skew);
        let pending = self.config.ec2.pending;
        let visible = self.config.ec2.visible;
        let hidden = self.faults.ec2.get(plane).map_or(0, |faults| millis(faults.hide_new));
        let mut images: BTreeMap<StoreId, Arc<StoreImage>> = BTreeMap::new();
        let mut made = Vec::new();
        for volume in volumes {
            let Some(role) = self.cloud.volumes.get(volume).map(|kept| kept.role) else { continue };
            let part = match role {
                Role::Data(store) => Some((Half::Data, store)),
                Role::Raft(store) => Some((Half::Raft, store)),
                Role::Root | Role::Foreign => None,
            };
            let content = part.and_then(|(half, store)| {
                if let Entry::Vacant(place) = images.entry(store) {
                    place.insert(Arc::new(self.capture(store)?));
                }
                images.get(&store).map(|image| (half, Arc::clone(image)))
            });
            self.cloud.next += 1;
            let id = SnapshotId(format!("snap-0{:016x}", self.cloud.next));
            let snapshot = Snapshot {
                volume: volume.clone(),
                plane: plane.to_owned(),
                start_time,
                captured: self.now,
                visible: self.now + self.draw_call(visible) + hidden,
                done: self.now + self.draw_call(pending),
                fails,
                deleted: false,
                tags: tags.to_vec(),
                stripped: false,
                bytes: bytes_of(content.as_ref()),
                content,
            };
            self.note(&[30, self.cloud.next]);
            self.cloud.snapshots.insert(id.clone(), snapshot);
            if let Some(kept) = self.cloud.volumes.get_mut(volume) {
                kept.snapshotted = Some(self.now);
            }
            made.push((volume.clone(), id, start_time));
        }
        self.counters.ec2_creates += 1;
        made
    }

    /// The cut that these snapshots are, whatever their state; ids that are unknown or hold no TiKV are named.
    pub(crate) fn cut_of(&self, ids: &[SnapshotId], commit_ts: Ts) -> Result<Cut, String> {
        let mut volumes = Vec::new();
        for id in ids {
            let snapshot = self.cloud.snapshots.get(id).ok_or_else(|| format!("{id} was never made"))?;
            if snapshot.deleted {
                return Err(format!("{id} was deleted"));
            }
            let (half, image) = snapshot.content.clone().ok_or_else(|| format!("{id} holds no TiKV volume"))?;
            volumes.push(VolumeImage { snapshot: Some(id.clone()), half, image });
        }
        Ok(Cut { commit_ts, volumes })
    }

    /// May a volume be snapshotted now (`facts/aws.md` A3)? The code of the refusal, if not.
    pub(crate) fn volume_refusal(&self, volume: &VolumeId) -> Option<&'static str> {
        let kept = self.cloud.volumes.get(volume)?;
        let recent = kept.snapshotted.is_some_and(|at| at + millis(self.config.ec2.per_volume) > self.now);
        if recent {
            Some("SnapshotCreationPerVolumeRateExceeded")
        } else if self.cloud.unfinished(volume, self.now) >= self.config.ec2.concurrent {
            Some("ConcurrentSnapshotLimitExceeded")
        } else {
            None
        }
    }
}

fn bytes_of(content: Option<&(Half, Arc<StoreImage>)>) -> u64 {
    let bytes = content.map_or(0, |(half, image)| match half {
        Half::Data => image.peers.values().map(|peer| peer.rows.len() as u64 * 64).sum(),
        Half::Raft => image.peers.values().map(|peer| peer.log.len() as u64 * 128).sum(),
    });
    BASE_BYTES + bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}
