//! What the plane's configuration says about topology.

use serde::{Deserialize, Serialize};

/// What the plane's configuration says about topology; everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TopologyConfig {
    /// Where PD is, for TiDB clusters whose operator does not say it.
    pub pd: Vec<PdOverride>,
    /// DNS domain of this Kubernetes cluster, for TiDB clusters whose operator does not say it. Empty: `cluster.local`.
    pub cluster_domain: String,
}

/// PD of one TiDB cluster, as an admin wrote it down. It wins over everything that the API server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PdOverride {
    /// `tcNamespace` of the VolumeBackup.
    pub namespace: String,
    /// `tcName` of the VolumeBackup.
    pub name: String,
    /// `http://host:2379` or `https://…`; may be empty when only the secret is overridden.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Secret in `namespace` with `ca.crt`, `tls.crt` and `tls.key`; wins over the operator's client secret.
    #[serde(default)]
    pub tls_secret: Option<String>,
}
