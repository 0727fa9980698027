//! Images of what stores hold now, as EC2 takes them and without it.

use super::{
    cloud::{Capture, Role},
    engine::{State, millis},
    image::{Cut, Half, StoreImage, VolumeImage},
};
use crate::models::ec2::Wanted;
use shared::{
    ids::{SnapshotId, StoreId, VolumeId},
    ts::Ts,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
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
            titan_apart: held.titan.is_some(),
            raft_lost: self.faults.raft_elsewhere.contains(&store),
            compacting: self.faults.compacting_tikv.contains(&store),
        })
    }

    /// Both volumes of a store at this moment, without EC2: for controls.
    pub(crate) fn capture_volumes(&self, store: StoreId) -> Vec<VolumeImage> {
        let Some(image) = self.capture(store).map(Arc::new) else {
            return Vec::new();
        };
        let halves = [Half::Data, Half::Raft].into_iter().chain(image.titan_apart.then_some(Half::Titan));
        halves.map(|half| VolumeImage { snapshot: None, half, image: Arc::clone(&image) }).collect()
    }
}

impl State {
    /// The capture itself: every volume of the call at this very moment.
    pub(crate) fn snapshot_volumes(
        &mut self,
        plane: &str,
        mut wanted: Vec<Wanted>,
        tags: &[(String, String)],
        fails: bool,
    ) -> Vec<SnapshotId> {
        let skew = self.config.planes.iter().find(|kept| kept.name == plane).map_or(0, |kept| kept.ec2_skew_ms);
        let start_ms = self.wall().0 + skew;
        let (pending, visible) = (self.config.ec2.pending, self.config.ec2.visible);
        let hidden = self.faults.ec2.get(plane).map_or(0, |faults| millis(faults.hide_new));
        let mut images = BTreeMap::new();
        let mut contents = Vec::new();
        for one in &mut wanted {
            let content = self.content_of(&one.volume, &mut images);
            one.visible = Duration::from_millis(self.now + self.draw_call(visible) + hidden);
            one.done = Duration::from_millis(self.now + self.draw_call(pending));
            one.full_bytes = bytes_of(content.as_ref());
            one.ever_written =
                one.full_bytes + 64 * content.as_ref().map_or(0, |(_, image)| image.commits.values().sum());
            contents.push(content);
        }
        let made = self.cloud.ec2.make(self.moment(), start_ms, wanted, fails.then_some("internal error"), "");
        let made: Vec<SnapshotId> = made.into_iter().map(SnapshotId).collect();
        for (id, content) in made.iter().zip(contents) {
            let capture = Capture { plane: plane.to_owned(), tags: tags.to_vec(), content };
            self.cloud.captures.insert(id.clone(), capture);
            self.note(&[30, self.cloud.captures.len() as u64]);
        }
        self.counters.ec2_creates += 1;
        made
    }

    /// What is on a volume: nothing of TiKV's, or half of what a store is now.
    fn content_of(
        &self,
        volume: &str,
        images: &mut BTreeMap<StoreId, Arc<StoreImage>>,
    ) -> Option<(Half, Arc<StoreImage>)> {
        let (half, store) = match self.cloud.tikv.get(&VolumeId(volume.to_owned()))?.0 {
            Role::Data(store) => (Half::Data, store),
            Role::Raft(store) => (Half::Raft, store),
            Role::Whole(store) => (Half::Whole, store),
            Role::Titan(store) => (Half::Titan, store),
        };
        if let Entry::Vacant(place) = images.entry(store) {
            place.insert(Arc::new(self.capture(store)?));
        }
        images.get(&store).map(|image| (half, Arc::clone(image)))
    }

    /// The cut that these snapshots are, whatever their state; ids that are unknown or hold no TiKV are named.
    pub(crate) fn cut_of(&self, ids: &[SnapshotId], commit_ts: Ts) -> Result<Cut, String> {
        let mut volumes = Vec::new();
        for id in ids {
            let made = self.cloud.captures.get(id).ok_or_else(|| format!("{id} was never made"))?;
            if self.cloud.ec2.snapshots.get(&id.0).is_none_or(|snapshot| snapshot.deleting) {
                return Err(format!("{id} was deleted"));
            }
            let (half, image) = made.content.clone().ok_or_else(|| format!("{id} holds no TiKV volume"))?;
            volumes.push(VolumeImage { snapshot: Some(id.clone()), half, image });
        }
        Ok(Cut { commit_ts, volumes })
    }
}

fn bytes_of(content: Option<&(Half, Arc<StoreImage>)>) -> u64 {
    let data = |image: &StoreImage| image.peers.values().map(|peer| peer.rows.len() as u64 * 64).sum::<u64>();
    let raft = |image: &StoreImage| image.peers.values().map(|peer| peer.log.len() as u64 * 128).sum::<u64>();
    let bytes = content.map_or(0, |(half, image)| match half {
        Half::Data => data(image),
        Half::Raft => raft(image),
        Half::Whole => data(image) + raft(image),
        Half::Titan => 0,
    });
    BASE_BYTES + bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}
