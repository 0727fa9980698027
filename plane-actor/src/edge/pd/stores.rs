//! The stores that PD lists, and how they are read.

use super::leader::{Fail, Leader, header_fail, status_fail};
use crate::edge::proto::{
    metapb::{self, NodeState, StoreState as PbState},
    pdpb::{ErrorType, GetAllStoresRequest, ResponseHeader},
};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::StoreId,
    time::Millis,
    ts::Ts,
};

/// PD calls a store Disconnected after this (`facts/pd-tikv.md` §3.2).
const DISCONNECTED_AFTER: Millis = Millis::secs(20);

/// All stores that PD lists, tombstones included.
pub(super) async fn all_stores(leader: &Leader) -> Result<Vec<metapb::Store>, Fail> {
    let request = GetAllStoresRequest { header: leader.header(), exclude_tombstone_stores: false };
    let answer = leader.grpc().get_all_stores(request).await.map_err(|s| status_fail(&s))?.into_inner();
    if is_new(answer.header.as_ref()) {
        return Ok(Vec::new());
    }
    header_fail(answer.header.as_ref())?;
    Ok(answer.stores)
}

/// No TiKV has ever joined this PD (`facts/restore.md` §3.2).
fn is_new(header: Option<&ResponseHeader>) -> bool {
    let error = header.and_then(|header| header.error.as_ref());
    error.is_some_and(|error| error.r#type() == ErrorType::NotBootstrapped)
}

/// Neither Tombstone nor TiFlash: can hold data of a region that TiKV leads or follows.
pub(super) fn holds_data(store: &metapb::Store) -> bool {
    let gone = store.state() == PbState::Tombstone || store.node_state() == NodeState::Removed;
    let tiflash = store.labels.iter().any(|l| l.key == "engine" && matches!(&*l.value, "tiflash" | "tiflash_compute"));
    !gone && !tiflash
}

/// A store as evidence: ages by PD's clock, because heartbeats are stamped by it.
pub(super) fn cluster_store(store: metapb::Store, now: Ts) -> ClusterStore {
    let since = |unix_ms: i64| Millis(now.physical_ms().saturating_sub(u64::try_from(unix_ms).unwrap_or(0)));
    let heartbeat_age = since(store.last_heartbeat / 1_000_000);
    let leaving = store.state() == PbState::Offline || store.node_state() == NodeState::Removing;
    let state = match () {
        () if leaving => StoreState::Offline,
        () if heartbeat_age > DISCONNECTED_AFTER => StoreState::Disconnected,
        () => StoreState::Up,
    };
    ClusterStore {
        store: StoreId(store.id),
        uptime: since(store.start_timestamp.saturating_mul(1000)),
        address: store.address,
        state,
        start_timestamp: store.start_timestamp,
        heartbeat_age,
        version: store.version,
    }
}
