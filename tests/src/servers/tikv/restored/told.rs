//! What processes of a restored cluster tell a real PD: the first one bootstraps it with a region that is made up.

use super::{
    super::pd::{self, Leader, Teller},
    kept::Kept,
    kv::region_pb,
};
use plane_actor::edge::proto::{metapb, pdpb};
use shared::ids::StoreId;
use std::sync::Arc;

/// A cluster, as PD hears of it.
pub(super) struct Told(Arc<Kept>);

/// Bootstraps PD where nobody has, then keeps the store alive there.
pub(super) async fn keep(kept: Arc<Kept>, store: StoreId, urls: Vec<String>) {
    let told = Arc::new(Told(kept));
    if let Err(error) = bootstrap(&told, store, &urls).await {
        // A failure is passed over, as TiKV does after its tries.
        tracing::debug!(%store, error = format!("{error:#}"), "PD was not bootstrapped");
    }
    pd::keep(told, store.0, urls).await;
}

async fn bootstrap(told: &Told, store: StoreId, urls: &[String]) -> anyhow::Result<()> {
    let mut leader = Leader::find(urls).await?;
    let Some(first) = told.store(store.0) else { return Ok(()) };
    let (id, peer) = (leader.alloc_id().await?, leader.alloc_id().await?);
    let region_epoch = Some(metapb::RegionEpoch { conf_ver: 1, version: 1 });
    let peers = vec![metapb::Peer { id: peer, store_id: store.0 }];
    leader.bootstrap(first, metapb::Region { id, region_epoch, peers, ..metapb::Region::default() }).await
}

impl Teller for Told {
    fn store(&self, id: u64) -> Option<metapb::Store> {
        self.0.with(|cluster, _| {
            let process = cluster.processes.values().find(|process| process.is_up() && process.store.0 == id)?;
            Some(metapb::Store {
                id,
                address: process.address.clone(),
                version: "7.5.1".to_owned(),
                start_timestamp: process.at.0.div_euclid(1_000),
                ..metapb::Store::default()
            })
        })
    }

    fn regions(&self, id: u64) -> usize {
        self.0.with(|cluster, _| cluster.led_by(StoreId(id)).len())
    }

    fn beats(&self, id: u64, leader: &Leader) -> Vec<pdpb::RegionHeartbeatRequest> {
        let led = self.0.with(|cluster, _| cluster.led_by(StoreId(id)));
        led.iter()
            .map(|led| pdpb::RegionHeartbeatRequest {
                header: leader.header(),
                region: Some(region_pb(led)),
                leader: Some(metapb::Peer { id: led.piece.peer, store_id: id }),
                approximate_size: 1,
                approximate_keys: 1,
                interval: pd::interval(),
                term: 6,
            })
            .collect()
    }

    /// Resolved ts is off in recovery mode.
    fn min_resolved(&self, _: u64) -> u64 {
        0
    }
}
