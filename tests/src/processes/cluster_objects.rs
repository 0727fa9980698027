//! Kubernetes objects of one plane's part of a TiDB cluster, as TiDB Operator v1 leaves them (`facts/topology.md` §1, §7;
//! `facts/tidb-operator.md` §4): TidbCluster, pods, claims, volumes, the secret with the access key. Pure.

use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// Driver of EBS volumes.
pub const EBS: &str = "ebs.csi.aws.com";

/// One plane's part of one TiDB cluster.
#[derive(Clone, Debug)]
pub struct Part {
    /// `k8sClusterName`.
    pub plane: String,
    /// `tcNamespace`.
    pub namespace: String,
    /// `tcName`.
    pub name: String,
    /// Where PD is.
    pub pd: String,
    /// TiKV.
    pub stores: Vec<Store>,
}

/// One TiKV pod and what it stands on.
#[derive(Clone, Debug)]
pub struct Store {
    /// PD's number.
    pub id: u64,
    /// The pod's address.
    pub host: Ipv4Addr,
    /// TiKV's port.
    pub port: u16,
    /// The instance below.
    pub instance: String,
    /// Root volume of the instance; nothing of TiKV's.
    pub root: String,
    /// `/var/lib/tikv`.
    pub data: String,
    /// `/var/lib/raft`.
    pub raft: String,
    /// A volume of another pod on the same instance.
    pub foreign: String,
}

/// The TidbCluster kind, small: everything is kept, status is written on the main URL (`facts/topology.md` §7).
pub fn tidb_cluster_kind() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "tidbclusters.pingcap.com"},
        "spec": {
            "group": "pingcap.com",
            "scope": "Namespaced",
            "names": {"kind": "TidbCluster", "plural": "tidbclusters", "singular": "tidbcluster", "shortNames": ["tc"]},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": {},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

impl Part {
    /// Everything of this part but the namespace; volumes of `driver`.
    pub fn objects(&self, access_key: &str, driver: &str) -> Vec<Value> {
        let mut all = vec![self.tidb_cluster(), self.secret(access_key)];
        for (ordinal, store) in self.stores.iter().enumerate() {
            all.push(self.pod(ordinal, store));
            for (role, volume, size) in [("", &store.data, "500Gi"), ("raft-", &store.raft, "50Gi")] {
                let claim = format!("tikv-{role}{}-tikv-{ordinal}", self.name);
                all.push(self.claim(&claim, store, size));
                all.push(self.volume(&claim, store, size, driver, volume));
            }
        }
        all
    }

    /// Name of the pod of this place.
    pub fn pod_name(&self, ordinal: usize) -> String {
        format!("{}-tikv-{ordinal}", self.name)
    }

    /// What the kubelet would write: addresses are how PD's stores lead to pods.
    pub fn pod_status(store: &Store) -> Value {
        let ip = store.host.to_string();
        json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})
    }

    fn tidb_cluster(&self) -> Value {
        json!({
            "apiVersion": "pingcap.com/v1alpha1",
            "kind": "TidbCluster",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "acrossK8s": true,
                "version": "v7.5.1",
                "pdAddresses": [self.pd],
                "tlsCluster": {"enabled": false},
                "tidb": {"replicas": 1},
                "tikv": {
                    "replicas": self.stores.len(),
                    "config": "[raft-engine]\n  dir = \"/var/lib/raft\"\n",
                    "storageVolumes": [{"name": "raft", "storageSize": "50Gi", "mountPath": "/var/lib/raft"}],
                },
            },
        })
    }

    fn secret(&self, access_key: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s3-secret", "namespace": self.namespace},
            "stringData": {"access_key": access_key, "secret_key": "a key that no log shows"},
        })
    }

    fn labels(&self, store: &Store) -> Value {
        json!({
            "app.kubernetes.io/name": "tidb-cluster",
            "app.kubernetes.io/managed-by": "tidb-operator",
            "app.kubernetes.io/component": "tikv",
            "app.kubernetes.io/instance": self.name,
            "tidb.pingcap.com/store-id": store.id.to_string(),
        })
    }

    fn pod(&self, ordinal: usize, store: &Store) -> Value {
        let name = self.pod_name(ordinal);
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": self.labels(store)},
            "spec": {
                "hostname": name,
                "subdomain": format!("{}-tikv-peer", self.name),
                "containers": [{
                    "name": "tikv",
                    "image": "pingcap/tikv:v7.5.1",
                    "ports": [{"name": "server", "containerPort": store.port}],
                    "volumeMounts": [
                        {"name": "tikv", "mountPath": "/var/lib/tikv"},
                        {"name": "tikv-raft", "mountPath": "/var/lib/raft"},
                    ],
                }],
                "volumes": [
                    {"name": "tikv", "persistentVolumeClaim": {"claimName": format!("tikv-{name}")}},
                    {"name": "tikv-raft", "persistentVolumeClaim": {"claimName": format!("tikv-raft-{name}")}},
                ],
            },
        })
    }

    fn claim(&self, claim: &str, store: &Store, size: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": self.namespace, "labels": self.labels(store)},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                "storageClassName": "gp3",
                "volumeName": self.volume_name(claim),
            },
        })
    }

    /// PVs belong to no namespace, so their names carry it.
    fn volume_name(&self, claim: &str) -> String {
        format!("pvc-{}-{claim}", self.namespace)
    }

    fn volume(&self, claim: &str, store: &Store, size: &str, driver: &str, handle: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": self.volume_name(claim),
                "labels": self.labels(store),
                "annotations": {"pv.kubernetes.io/provisioned-by": driver},
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": size},
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": self.namespace, "name": claim},
                "csi": {"driver": driver, "fsType": "ext4", "volumeHandle": handle},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "gp3",
            },
        })
    }
}
