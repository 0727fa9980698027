//! This plane's pods, volumes and secrets, and where its TiDB cluster's PD is.

use super::{cloud::WebIdentity, error::PortError};
use async_trait::async_trait;
use shared::{
    evidence::ClusterStore,
    ids::{StoreId, VolumeId},
};
use std::{collections::BTreeMap, fmt};

/// Reads pods, volumes and secrets of this plane. Never writes.
#[async_trait]
pub trait Topology: Send + Sync {
    /// Where this TiDB cluster's PD is and how to talk to it. Works under Operator v1, v2 and none
    /// (`facts/topology.md` §3, §5). Refuses `TidbClusterNotFound`.
    async fn locate(&self, namespace: &str, name: &str) -> Result<Located, PortError>;

    /// Which of `stores` run in this plane (matched by address, `facts/topology.md` §4), down to their EBS volumes.
    /// Stores of other planes are left out silently; a local store whose volumes are not EBS is `VolumeUnsupported`.
    async fn local_stores(
        &self,
        namespace: &str,
        name: &str,
        stores: &[ClusterStore],
    ) -> Result<Vec<LocalStore>, PortError>;

    /// The keys of a secret. Refuses `CredentialsUnreadable`.
    async fn secret(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>, PortError>;

    /// IRSA: the role of a ServiceAccount (annotation `eks.amazonaws.com/role-arn`) and a token for it
    /// (TokenRequest; audience by annotation `eks.amazonaws.com/audience`, else `sts.amazonaws.com`).
    async fn service_account(&self, namespace: &str, name: &str) -> Result<WebIdentity, PortError>;

    /// Objects of the TiDB cluster that are kept beside a backup for people; none where nobody knows any.
    async fn manifests(&self, _namespace: &str, _name: &str) -> Manifests {
        Manifests::default()
    }
}

/// What was found, and in words what could not be read. A backup is as good without it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    /// In the order in which they are written.
    pub found: Vec<Manifest>,
    /// One line each.
    pub unread: Vec<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its namespace.
    pub namespace: String,
    /// `TidbCluster`, `TidbMonitor`, …
    pub kind: String,
    /// `metadata.name`
    pub name: String,
    /// As the API server has it, without managedFields.
    pub object: serde_json::Value,
}

/// A TiDB cluster as this plane knows it.
#[derive(Clone, Debug)]
pub struct Located {
    /// How to reach PD and TiKV.
    pub endpoint: PdEndpoint,
    /// What goes into clustermeta and backupmeta as `kubernetes.crd_tidb_cluster`: the v1 object, or the minimal one
    /// made from v2 or from no operator (`facts/topology.md` §2).
    pub tidb_cluster: serde_json::Value,
    /// `spec.pd.replicas` of the plane's TidbCluster (0 without one).
    pub pd_replicas: u32,
    /// `spec.tidb.replicas` of the plane's TidbCluster (0 without one).
    pub tidb_replicas: u32,
}

/// PD's addresses and the cluster's client TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdEndpoint {
    /// `http://host:2379` or `https://…`; at least one.
    pub urls: Vec<String>,
    /// Mutual TLS for PD and TiKV alike.
    pub tls: Option<ClusterTls>,
}

/// PEM texts of the cluster's client secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterTls {
    /// `ca.crt`
    pub ca: Vec<u8>,
    /// `tls.crt`
    pub cert: Vec<u8>,
    /// `tls.key`
    pub key: Vec<u8>,
}

impl fmt::Debug for ClusterTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterTls(..)")
    }
}

/// A TiKV pod of this plane.
#[derive(Clone, Debug)]
pub struct LocalStore {
    /// PD's number.
    pub store: StoreId,
    /// Pod name, for people.
    pub pod: String,
    /// Its EBS volumes; at least one.
    pub volumes: Vec<LocalVolume>,
    /// Everything that is mounted for its TiKV, these volumes included. A path of TiKV's that is under none of them is
    /// nowhere that outlives the process.
    pub mounts: Vec<Mount>,
}

/// A mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// As TiKV sees it.
    pub path: String,
    /// What is there.
    pub on: MountedOn,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountedOn {
    /// One of [`LocalStore::volumes`].
    Volume(VolumeId),
    /// Anything else, in words.
    Other(String),
}

/// One claim of a TiKV pod.
#[derive(Clone, Debug)]
pub struct LocalVolume {
    /// `vol-…`
    pub volume: VolumeId,
    /// Where TiKV mounts it.
    pub mount_path: String,
    /// `storage.data-dir`, or the dotted configuration key it serves, or empty.
    pub kind: String,
    /// The PVC as it goes into clustermeta (labels as restore needs them).
    pub pvc: serde_json::Value,
    /// The PV as it goes into clustermeta (annotation `temporary/volume-id` set).
    pub pv: serde_json::Value,
}
