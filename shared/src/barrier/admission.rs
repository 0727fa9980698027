//! What all planes said in `Prepared`, judged together: one cluster, every store that can hold data is well and belongs
//! to exactly one member (E1, E6).

use super::{calls::check_hold, record::Record, size::check_room};
use crate::{
    epoch::Epoch,
    evidence::ClusterStore,
    ids::{ClusterId, PlaneId, StoreId},
    reason::{Reason, Refusal},
    request::Request,
    time::Timestamp,
    wire::Prepared,
};
use std::collections::BTreeMap;

/// What the planes agree on.
pub(super) struct Admitted {
    pub(super) cluster: ClusterId,
    pub(super) cluster_version: String,
    pub(super) cluster_stores: Vec<ClusterStore>,
    /// The highest epoch that any plane obeyed for this TiDB cluster.
    pub(super) floor: Epoch,
}

pub(super) fn admit(request: &Request, prepared: &BTreeMap<PlaneId, Prepared>) -> Result<Admitted, Refusal> {
    let Some((init, first)) = request.init_plane().and_then(|plane| prepared.get(plane).map(|answer| (plane, answer)))
    else {
        return Err(Refusal::new(Reason::Internal, "the init plane has not prepared"));
    };
    if let Some((plane, other)) = prepared.iter().find(|(_, answer)| answer.cluster != first.cluster) {
        return Err(Refusal::new(
            Reason::ClusterMismatch,
            format!("plane {init} belongs to PD cluster {}, plane {plane} to {}", first.cluster, other.cluster),
        ));
    }
    if let Some(unwell) = first.cluster_stores.iter().find_map(|store| store.unwell(request.limits.store_uptime)) {
        return Err(unwell);
    }
    check_membership(&first.cluster_stores, prepared)?;
    check_hold(request, prepared)?;
    Ok(Admitted {
        cluster: first.cluster,
        cluster_version: first.cluster_version.clone(),
        cluster_stores: first.cluster_stores.clone(),
        floor: prepared.values().map(|answer| answer.highest_epoch).max().unwrap_or(Epoch::NONE),
    })
}

fn check_membership(stores: &[ClusterStore], prepared: &BTreeMap<PlaneId, Prepared>) -> Result<(), Refusal> {
    let mut owner: BTreeMap<StoreId, &PlaneId> = BTreeMap::new();
    for (plane, answer) in prepared {
        if answer.stores.is_empty() {
            return Err(Refusal::new(
                Reason::NoStores,
                format!("plane {plane} holds no TiKV store of this TiDB cluster"),
            ));
        }
        for store in &answer.stores {
            if let Some(other) = owner.insert(store.store, plane) {
                return Err(Refusal::new(
                    Reason::StoreInTwoPlanes,
                    format!("store {} at {} is seen by planes {other} and {plane}", store.store, store.address),
                ));
            }
        }
    }
    if let Some(store) = stores.iter().find(|store| !owner.contains_key(&store.store)) {
        return Err(Refusal::new(
            Reason::StoreInNoPlane,
            format!("store {} at {} is in no plane of spec.clusters", store.store, store.address),
        ));
    }
    if let Some((store, plane)) = owner.iter().find(|(id, _)| !stores.iter().any(|store| store.store == **id)) {
        return Err(Refusal::new(
            Reason::StoresChanged,
            format!("plane {plane} prepared store {store}, which the init plane's PD does not list"),
        ));
    }
    Ok(())
}

impl Record {
    /// Keeps what the planes said of themselves.
    pub(super) fn take_prepared(&mut self, admitted: Admitted, prepared: BTreeMap<PlaneId, Prepared>) {
        self.cluster = Some(admitted.cluster);
        self.cluster_version = admitted.cluster_version;
        self.cluster_stores = admitted.cluster_stores;
        for (plane, answer) in prepared {
            let kept = self.planes.entry(plane).or_default();
            kept.stores = answer.stores;
            kept.account = answer.account;
            kept.region = answer.region;
            kept.budgets = answer.budgets;
        }
    }
}

/// What Preparing would say to these answers of all planes of a request: which TiDB cluster it is, or why it would fail.
///
/// # Errors
/// The refusal that the backup would end with.
pub fn would_admit(request: &Request, prepared: BTreeMap<PlaneId, Prepared>) -> Result<ClusterId, Refusal> {
    let admitted = admit(request, &prepared)?;
    let cluster = admitted.cluster;
    let mut record = Record::new(request.clone(), Timestamp(0));
    record.take_prepared(admitted, prepared);
    check_room(&record).map(|()| cluster)
}
