//! TiDB clusters that stand ready to be restored into, each alive from the beginning: objects, a PD that knows nothing of the
//! world's own cluster, and pods that wait (`facts/restore.md` §2.3, §3.2). What they do is [`crate::models::restored`]'s.

use super::{
    config::{PlaneConfig, WorldConfig},
    kind::Kind,
    pd_state::PdState,
};
use crate::models::{
    restored::{Cluster, Pd, Registered, Shape},
    tikv::Lease,
};
use plane_actor::ports::{LocalStore, LocalVolume, Mount, MountedOn, PdCluster};
use serde_json::{Value, json};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::{ClusterId, StoreId, VolumeId},
    time::{Millis, Timestamp},
};
use std::collections::BTreeMap;

/// PD says Disconnected of a store that it has not heard of for so long.
const SILENT_MS: i64 = 20_000;

/// One of them, in every plane.
#[derive(Clone, Debug)]
pub struct TargetCluster {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// `spec.version`.
    pub version: String,
    /// `spec.recoveryMode`.
    pub recovery_mode: bool,
    /// It has the annotation that lets TiKV start.
    pub volumes_ready: bool,
    /// PD has the mark of a restore.
    pub marked: bool,
    /// Stores that have joined it, from elsewhere.
    pub stores: u64,
    /// TiKV pods of each plane; `None`: as many as the world's own cluster has.
    pub replicas: Option<u32>,
    /// Names of the volumes of each.
    pub volumes: Vec<String>,
    /// Its claims are of this class, which nothing serves, and are its gate; empty: recoveryMode is.
    pub static_class: String,
    /// So far behind is its PD's clock, in milliseconds.
    pub clock_behind_ms: i64,
}

impl TargetCluster {
    /// As a restore wants it.
    #[must_use]
    pub fn fresh(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cluster: ClusterId(7_400_000_000_000_000_009),
            version: "v7.5.2".to_owned(),
            recovery_mode: true,
            volumes_ready: false,
            marked: false,
            stores: 0,
            replicas: None,
            volumes: ["tikv", "tikv-raft"].map(str::to_owned).into(),
            static_class: String::new(),
            clock_behind_ms: 0,
        }
    }

    /// The same with claims of a class that nothing serves as its gate.
    #[must_use]
    pub fn with_static_class(namespace: &str, name: &str, class: &str) -> Self {
        Self { static_class: class.to_owned(), recovery_mode: false, ..Self::fresh(namespace, name) }
    }

    /// Where its PD is.
    pub(super) fn url(&self) -> String {
        format!("http://{}-pd.{}:2379", self.name, self.namespace)
    }

    fn shape(&self, plane: &PlaneConfig, config: &WorldConfig) -> Shape {
        Shape {
            plane: plane.name.clone(),
            zone: plane.zone.clone(),
            namespace: self.namespace.clone(),
            cluster: self.name.clone(),
            replicas: self.replicas.unwrap_or(config.stores_per_plane),
            volumes: self.volumes.clone(),
            static_class: Some(self.static_class.clone()).filter(|class| !class.is_empty()),
        }
    }
}

/// It, as it lives.
pub(crate) struct Target {
    pub(crate) spec: TargetCluster,
    pub(crate) cluster: Cluster,
    /// Schedulers and service safe points.
    pub(crate) schedule: PdState,
    /// Prepare leases of its stores, by number of the process.
    pub(crate) leases: BTreeMap<u64, Lease>,
}

impl Target {
    pub(super) fn new(spec: TargetCluster, config: &WorldConfig, now: Timestamp) -> Self {
        let mut pd = Pd::new(spec.cluster);
        (pd.marked, pd.clock_behind_ms) = (spec.marked, spec.clock_behind_ms);
        for at in 1..=spec.stores {
            let address = format!("{}-tikv-{at}:20160", spec.name);
            pd.stores.insert(StoreId(at), Registered { address, start_timestamp: 1_700_000_000, heard: now });
        }
        let shapes = config.planes.iter().map(|plane| spec.shape(plane, config)).collect();
        let mut cluster = Cluster::new(pd, shapes, now);
        for plane in cluster.planes.values_mut() {
            (plane.recovery_mode, plane.volumes_ready) = (spec.recovery_mode, spec.volumes_ready);
        }
        Self { spec, cluster, schedule: PdState::default(), leases: BTreeMap::new() }
    }

    /// What a plane's API server has of it.
    pub(super) fn object(&self, plane: &str) -> Option<Value> {
        let (spec, kept) = (&self.spec, self.cluster.planes.get(plane)?);
        let annotations =
            if kept.volumes_ready { json!({"tidb.pingcap.com/tikv-volumes-ready": "tidb/fed-x"}) } else { json!({}) };
        let tikv = json!({"replicas": kept.shape.replicas});
        let mut object = json!({
            "apiVersion": "pingcap.com/v1alpha1",
            "kind": "TidbCluster",
            "metadata": {"name": spec.name, "namespace": spec.namespace, "uid": "uid-target", "annotations": annotations},
            "spec": {"version": spec.version, "recoveryMode": kept.recovery_mode, "pd": {"replicas": 1}, "tikv": tikv},
        });
        if kept.shape.static_class.is_some()
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            // Made up for a cluster of another operator (`facts/topology.md` §2).
            metadata.remove("uid");
        }
        Some(object)
    }

    pub(super) fn pd(&self) -> PdCluster {
        let version = self.spec.version.trim_start_matches('v').to_owned();
        PdCluster { id: self.spec.cluster, version, recovering: self.cluster.pd.marked, min_resolved_ts_enabled: true }
    }

    pub(super) fn listed(&self, now: Timestamp) -> Vec<ClusterStore> {
        let listed = self.cluster.pd.stores.iter().map(|(store, kept)| {
            let silent = now.0 - kept.heard.0;
            ClusterStore {
                store: *store,
                address: kept.address.clone(),
                state: if silent > SILENT_MS && self.cluster.pod_at(&kept.address).is_some() {
                    StoreState::Disconnected
                } else {
                    StoreState::Up
                },
                start_timestamp: kept.start_timestamp,
                uptime: Millis((now.0 - kept.start_timestamp * 1_000).max(0).unsigned_abs()),
                heartbeat_age: Millis(silent.max(0).unsigned_abs()),
                version: self.spec.version.trim_start_matches('v').to_owned(),
            }
        });
        listed.collect()
    }
}

impl Target {
    /// Its stores of a plane, down to what is mounted.
    pub(super) fn local(&self, plane: &str, stores: &[ClusterStore]) -> Vec<LocalStore> {
        let Some(kept) = self.cluster.planes.get(plane) else { return Vec::new() };
        let local = stores.iter().filter_map(|store| {
            let (_, pod) = self.cluster.pod_at(&store.address).filter(|(of, _)| of == plane)?;
            let claims = &kept.pods.get(&pod)?.claims;
            let volumes: Vec<LocalVolume> = claims
                .iter()
                .zip([Kind::Data, Kind::Raft, Kind::Titan])
                .filter_map(|(claim, kind)| {
                    let (handle, pv) = kept.handle_of(claim).ok()?;
                    Some(LocalVolume {
                        volume: VolumeId(handle),
                        mount_path: kind.mount_path().to_owned(),
                        kind: kind.key().to_owned(),
                        pvc: kept.pvcs.get(claim)?.clone(),
                        pv: pv.clone(),
                    })
                })
                .collect();
            let at = |volume: &LocalVolume| Mount {
                path: volume.mount_path.clone(),
                on: MountedOn::Volume(volume.volume.clone()),
            };
            let mounts = volumes.iter().map(at).collect();
            Some(LocalStore { store: store.store, pod, volumes, mounts })
        });
        local.collect()
    }
}
