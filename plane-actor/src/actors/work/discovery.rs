//! What `Prepare` found; shared by all later work of the attempt.

use super::{
    tags::{Tagging, VolumeTags},
    volumes::Calls,
};
use crate::{
    actors::plane_context::PlaneContext,
    ports::{Cloud, LocalStore, Located, Pd, PdCluster, Tikv},
};
use shared::{
    evidence::{ClusterStore, PreparedStore},
    ids::{Attempt, StoreId, VolumeId},
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
    /// What volumes bear, and snapshots are to bear as well.
    pub(crate) volume_tags: VolumeTags,
    /// What the account may call for them.
    pub(crate) budgets: CallBudgets,
}

impl Discovery {
    /// What the snapshots of this attempt bear.
    pub(super) fn tagging(&self, env: &PlaneContext, attempt: &Attempt) -> Tagging<'_> {
        Tagging::new(env, attempt, &self.spec, self.cluster.id, &self.volume_tags)
    }

    /// All volumes to be snapshotted.
    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.stores.iter().flat_map(|store| store.volumes.iter().map(|volume| volume.volume.clone())).collect()
    }
}
