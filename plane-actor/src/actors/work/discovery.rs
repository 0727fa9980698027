//! What `Prepare` found; shared by all later work of the attempt.

use super::volumes::Calls;
use crate::ports::{Cloud, LocalStore, Located, Pd, PdCluster, Tikv};
use shared::{
    evidence::{ClusterStore, PreparedStore},
    ids::{StoreId, VolumeId},
    request::MemberSpec,
    wire::CallBudgets,
};
use std::{collections::BTreeMap, sync::Arc};

/// The plane's part of the TiDB cluster, and the connections that were made.
pub(crate) struct Discovery {
    pub(crate) spec: MemberSpec,
    pub(crate) located: Located,
    pub(crate) pd: Arc<dyn Pd>,
    pub(crate) cloud: Cloud,
    pub(crate) tikv: BTreeMap<StoreId, Arc<dyn Tikv>>,
    /// Connections for leases alone.
    pub(crate) leases: BTreeMap<StoreId, Arc<dyn Tikv>>,
    pub(crate) local: Vec<LocalStore>,
    pub(crate) stores: Vec<PreparedStore>,
    pub(crate) cluster: PdCluster,
    pub(crate) cluster_stores: Vec<ClusterStore>,
    pub(crate) calls: Calls,
    /// What the account may call for them.
    pub(crate) budgets: CallBudgets,
}

impl Discovery {
    /// All volumes to be snapshotted.
    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.stores.iter().flat_map(|store| store.volumes.iter().map(|volume| volume.volume.clone())).collect()
    }
}
