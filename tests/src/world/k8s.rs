//! Kubernetes objects of a plane as TiDB Operator 1.6 leaves them (`facts/tidb-operator.md` §4, §5.2), so that
//! clustermeta and backupmeta come out as restore expects them.

use super::{engine::State, kind::Kind, store::Store};
use serde_json::{Map, Value, json};
use shared::ids::{StoreId, VolumeId};
use std::collections::BTreeMap;

/// Where a node's own disk is mounted for a TiKV that keeps its raft log there.
pub(crate) const LOCAL_DISK: &str = "/nvme";

/// As a TiKV names its directories.
pub(crate) fn directories(raft_elsewhere: bool, held: &Store) -> BTreeMap<String, String> {
    let data = Kind::Data.mount_path();
    let raft = match (raft_elsewhere, &held.raft) {
        (true, _) => LOCAL_DISK.to_owned(),
        (false, None) => format!("{data}/raft-engine"),
        (false, Some(_)) => Kind::Raft.mount_path().to_owned(),
    };
    let titan = match &held.titan {
        None => format!("{data}/db/titandb"),
        Some(_) => Kind::Titan.mount_path().to_owned(),
    };
    let rows = [(Kind::Data, data.to_owned()), (Kind::Raft, raft), (Kind::Titan, titan)];
    rows.into_iter().map(|(kind, path)| (kind.key().to_owned(), path)).collect()
}

/// The v1 TidbCluster of a plane, status included.
pub(crate) fn tidb_cluster(state: &State, plane: &str) -> Value {
    let Some(kept) = state.config.planes.iter().find(|kept| kept.name == plane) else { return Value::Null };
    let pods = |local: bool| -> Map<String, Value> {
        let of = state.stores.iter().filter(|(_, held)| (held.plane == plane) == local);
        of.map(|(id, held)| {
            let tc = state.config.planes.iter().find(|other| other.name == held.plane).map(|other| &other.tc_name);
            let pod = format!("{}-tikv-{}", tc.map_or("", String::as_str), held.ordinal);
            let status =
                json!({"id": id.to_string(), "podName": pod, "ip": held.address, "leaderCount": 1, "state": "Up"});
            (id.to_string(), status)
        })
        .collect()
    };
    json!({
        "apiVersion": "pingcap.com/v1alpha1",
        "kind": "TidbCluster",
        "metadata": {"name": kept.tc_name, "namespace": kept.tc_namespace, "uid": format!("uid-{}", kept.tc_name)},
        "spec": {
            "acrossK8s": true,
            "clusterDomain": format!("{plane}.local"),
            "version": format!("v{}", state.config.version),
            "pd": {"replicas": 1},
            "tidb": {"replicas": 1},
            "tikv": {
                "replicas": state.config.stores_per_plane,
                "config": "[raft-engine]\n  dir = \"/var/lib/raft\"\n",
                "storageVolumes": [{"name": "raft", "mountPath": Kind::Raft.mount_path(), "storageSize": "50Gi"}],
            },
        },
        "status": {
            "clusterID": state.config.cluster.to_string(),
            "tikv": {"stores": pods(true), "peerStores": pods(false)},
        },
    })
}

/// PVC and PV of one volume of a store.
pub(crate) fn claim(
    state: &State,
    plane: &str,
    id: StoreId,
    held: &Store,
    volume: &VolumeId,
    kind: Kind,
) -> (Value, Value) {
    let Some(kept) = state.config.planes.iter().find(|kept| kept.name == plane) else {
        return (Value::Null, Value::Null);
    };
    let (tc, ns, pod) = (&kept.tc_name, &kept.tc_namespace, format!("{}-tikv-{}", kept.tc_name, held.ordinal));
    let claim = match kind {
        Kind::Data => format!("tikv-{pod}"),
        Kind::Raft => format!("tikv-raft-{pod}"),
        Kind::Titan => format!("tikv-titan-{pod}"),
    };
    let pv_name = format!("pvc-{}", volume.as_str().trim_start_matches("vol-"));
    let size = if kind == Kind::Data { "500Gi" } else { "50Gi" };
    let mut labels = json!({
        "app.kubernetes.io/component": "tikv",
        "app.kubernetes.io/instance": tc,
        "app.kubernetes.io/managed-by": "tidb-operator",
        "app.kubernetes.io/name": "tidb-cluster",
        "tidb.pingcap.com/cluster-id": state.config.cluster.to_string(),
        "tidb.pingcap.com/pod-name": pod,
        "tidb.pingcap.com/store-id": id.to_string(),
    });
    let pvc = json!({
        "metadata": {
            "name": claim, "namespace": ns, "labels": labels,
            "annotations": {"pv.kubernetes.io/bind-completed": "yes", "tidb.pingcap.com/pod-name": pod},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
            "storageClassName": "gp3", "volumeMode": "Filesystem", "volumeName": pv_name,
        },
        "status": {"phase": "Bound"},
    });
    labels["app.kubernetes.io/namespace"] = json!(ns);
    let zone = json!([{"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [kept.zone]}]);
    let pv = json!({
        "metadata": {
            "name": pv_name, "labels": labels,
            "annotations": {
                "pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com",
                "temporary/volume-id": volume,
                "tidb.pingcap.com/pod-name": pod,
            },
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": ns, "name": claim},
            "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": volume},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": zone}]}},
            "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "gp3", "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    });
    (pvc, pv)
}
