//! One TiDB cluster as this plane's API server knows it, whichever operator runs it.

use super::{
    address::domain,
    config::{DATA_DIR, Directories},
    secrets::TlsSecrets,
    settings::TopologyConfig,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Who runs the TiKV pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// TidbCluster, `pingcap.com/v1alpha1`.
    V1,
    /// Cluster, `core.pingcap.com/v1alpha1`.
    V2,
    /// Neither: PD comes from the plane's configuration.
    None,
}

/// One TiKV group: where its pods keep what.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// Data directory and configuration.
    pub(crate) directories: Directories,
    /// v2: the volume with the mount of type `data`.
    pub(crate) data_volume: String,
    /// v2: configuration as the user wrote it.
    pub(crate) config_text: Option<String>,
}

/// One TiDB cluster as this plane's API server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) operator: Operator,
    /// In the order in which they should be tried; empty: the objects do not say.
    pub(crate) urls: Vec<String>,
    pub(crate) tls: Option<TlsSecrets>,
    /// Domain of this Kubernetes cluster, as the TiDB cluster uses it.
    pub(crate) domain: Option<String>,
    /// By TiKVGroup name; v1 and none have one, named "".
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) pd_replicas: u32,
    pub(crate) tidb_replicas: u32,
    /// The v1 object; null otherwise.
    pub(crate) object: Value,
}

impl Cluster {
    /// A cluster without an operator's object.
    pub(crate) fn none(config: &TopologyConfig) -> Self {
        let group = Group { directories: Directories::new(DATA_DIR, None), ..Group::default() };
        Self {
            operator: Operator::None,
            urls: Vec::new(),
            tls: None,
            domain: domain(&config.cluster_domain),
            groups: BTreeMap::from([(String::new(), group)]),
            pd_replicas: 0,
            tidb_replicas: 0,
            object: Value::Null,
        }
    }

    /// Why there is no PD address.
    pub(crate) fn no_pd(&self, namespace: &str, name: &str) -> String {
        match self.operator {
            Operator::V1 => {
                format!("TidbCluster {namespace}/{name} has none of spec.pd, spec.cluster and spec.pdAddresses")
            }
            Operator::V2 => format!("Cluster {namespace}/{name} (core.pingcap.com) has no status.pd yet"),
            Operator::None => format!(
                "namespace {namespace} has neither a TidbCluster (pingcap.com) nor a Cluster (core.pingcap.com) {name}"
            ),
        }
    }

    /// The group of a pod; v1 and none have only one.
    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name).or_else(|| self.groups.values().next())
    }
}
