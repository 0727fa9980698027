//! Images of what stores hold now, as EC2 takes them and without it.

use super::{
    cloud::{Role, Snapshot},
    engine::{State, millis},
    image::{Cut, Half, StoreImage, VolumeImage},
};
use shared::{
    ids::{SnapshotId, StoreId, VolumeId},
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

impl State {
    pub(crate) fn capture(&self, store: StoreId) -> Option<StoreImage> {
        let held = self.stores.get(&store)?;
        let commits =
            held.peers.keys().filter_map(|id| self.regions.get(id).map(|region| (*id, region.commit))).collect();
        Some(StoreImage {
            store,
            plane: held.plane.clone(),
            at: self.now,
            mark: self.mark,
            gc_safe_point: self.pd.gc_safe_point,
            peers: held.peers.clone(),
            commits,
            files: held.files.clone(),
            raft_lost: self.faults.raft_elsewhere.contains(&store),
            compacting: self.faults.compacting_tikv.contains(&store),
        })
    }

    /// Both volumes of a store at this moment, without EC2: for controls.
    pub(crate) fn capture_volumes(&self, store: StoreId) -> Vec<VolumeImage> {
        let Some(image) = self.capture(store).map(Arc::new) else {
            return Vec::new();
        };
        [Half::Data, Half::Raft].map(|half| VolumeImage { snapshot: None, half, image: Arc::clone(&image) }).to_vec()
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
