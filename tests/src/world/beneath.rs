//! What the volumes of a target are made of: snapshots of the world's own stores.

use super::{
    engine::State,
    found::join_halves,
    image::{Half, StoreImage, VolumeImage},
};
use crate::models::ec2::{AskedVolume, WantedVolume};
use crate::models::restored::{Beneath, Disk, Ebs, Ident, Unfit};
use shared::ids::{SnapshotId, VolumeId};
use std::{collections::BTreeSet, sync::Arc};

/// The world's, as a restored cluster sees them.
pub(super) struct Volumes<'a>(pub(super) &'a State);

impl State {
    /// A volume that was made of a snapshot, and is still there.
    pub(super) fn made_of(&self, handle: &str) -> Option<Ebs> {
        let now = self.moment();
        let volume = self.cloud.ec2.volumes.get(handle).filter(|volume| volume.exists(now))?;
        let made = volume.made.as_ref()?;
        let state = volume.state(now).to_owned();
        Some(Ebs { snapshot: Some(SnapshotId(made.snapshot.clone())), state, zone: made.zone.clone() })
    }

    /// A volume of a snapshot, made by a person who waited until it was there. `None`: there is no such snapshot.
    pub(super) fn volume_by_hand(&mut self, snapshot: &SnapshotId, zone: &str) -> Option<VolumeId> {
        let capture = self.cloud.captures.get(snapshot)?;
        let (home, content) = (self.home_of(&capture.plane), capture.content.clone());
        let asked = AskedVolume { wanted: WantedVolume::plain(&snapshot.0, zone), token: None, tags: &[] };
        let now = self.moment();
        let (id, _) = self.cloud.ec2.create_volume(now, &home, &asked).ok()?;
        let made = self.cloud.ec2.volumes.get_mut(&id).and_then(|volume| volume.made.as_mut())?;
        (made.ready, made.visible) = (now, now);
        let id = VolumeId(id);
        if let Some((half, image)) = content {
            self.cloud.restored.insert(id.clone(), VolumeImage { snapshot: Some(snapshot.clone()), half, image });
        }
        Some(id)
    }

    fn content(&self, handle: &str) -> Option<(Half, &Arc<StoreImage>)> {
        self.made_of(handle)?;
        let content = self.cloud.restored.get(&VolumeId(handle.to_owned()))?;
        Some((content.half, &content.image))
    }
}

impl Beneath for Volumes<'_> {
    fn volume(&self, handle: &str) -> Option<Ebs> {
        self.0.made_of(handle)
    }

    /// In the order in which a pod names them: data first, then the raft log, then large values.
    fn disk(&self, handles: &[String]) -> Result<Disk, Unfit> {
        let halves: Option<Vec<_>> = handles.iter().map(|handle| self.0.content(handle)).collect();
        let halves = halves.ok_or(Unfit::Empty)?;
        let (first, image) = halves.first().copied().ok_or(Unfit::Empty)?;
        if !matches!(first, Half::Data | Half::Whole) {
            return Err(Unfit::Misfit("the data directory holds no StoreIdent".to_owned()));
        }
        let stores: BTreeSet<String> = halves.iter().map(|(_, image)| image.store.to_string()).collect();
        if stores.len() > 1 {
            let stores: Vec<String> = stores.into_iter().collect();
            return Err(Unfit::Misfit(format!("volumes of the stores {} are mounted together", stores.join(" and "))));
        }
        let mut faults = Vec::new();
        let joined = join_halves(image.store, &halves, &mut faults).filter(|_| faults.is_empty());
        let image = joined.ok_or_else(|| Unfit::Misfit(faults.join("; ")))?;
        let ident = Ident { cluster: self.0.config.cluster, store: image.store };
        Ok(Disk::of_image(ident, image.peers.clone(), &image.commits))
    }
}
