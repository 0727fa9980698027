//! What is written to a cluster, and what lies on a store's volumes at a moment: what a snapshot keeps.

use super::{
    cluster::TikvCluster,
    restored::{Content, CopyImage, Half, Image, Images, Version},
    state::Shared,
};
use shared::ids::{ClusterId, StoreId};
use std::{collections::BTreeMap, sync::Arc};

impl TikvCluster {
    /// A transaction of this key alone: committed, and so on every copy of its region.
    pub fn write(&self, key: &[u8], version: Version) {
        let mut state = self.shared.lock();
        let content = state.contents.entry(key.to_vec()).or_default();
        content.key = key.to_vec();
        content.versions.push(version);
        content.versions.sort_by_key(|version| version.commit_ts);
    }

    /// What lies on a store's volume now; `None`: there is no such store.
    #[must_use]
    pub fn image(&self, cluster: ClusterId, store: StoreId, half: Half) -> Option<Image> {
        image(&self.shared, cluster, store, half)
    }

    /// What an EC2 server calls with each volume and the snapshot that it has just made of it: keeps what lies there at that
    /// moment. `volumes`: whose they are.
    pub fn keep_images(
        &self,
        images: Images,
        cluster: ClusterId,
        volumes: BTreeMap<String, (StoreId, Half)>,
    ) -> impl Fn(&str, &str) + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |volume: &str, snapshot: &str| {
            let Some((store, half)) = volumes.get(volume) else { return };
            let Some(image) = image(&shared, cluster, *store, *half) else { return };
            if let Err(error) = images.keep(snapshot, &image) {
                tracing::warn!(snapshot, error = format!("{error:#}"), "what a snapshot holds was not kept");
            }
        }
    }
}

fn image(shared: &Shared, cluster: ClusterId, store: StoreId, half: Half) -> Option<Image> {
    let state = shared.lock();
    state.stores.get(&store.0)?;
    let holds = |start: &[u8], end: &[u8], key: &[u8]| start <= key && (end.is_empty() || key < end);
    let copies = state.regions.values().filter_map(|region| {
        let last_index = region.last_on(store.0)?;
        let inside = state.contents.values().filter(|content| holds(&region.start, &region.end, &content.key));
        let contents: Vec<Content> = inside.cloned().collect();
        Some(CopyImage {
            region: region.id,
            start: region.start.clone(),
            end: region.end.clone(),
            conf_ver: region.epoch.conf_ver,
            version: region.epoch.version,
            stores: region.peers.keys().map(|store| StoreId(*store)).collect(),
            term: region.term,
            last_index,
            contents,
        })
    });
    let copies = if half == Half::Data { copies.collect() } else { Vec::new() };
    Some(Image { cluster, store, half, copies })
}
