//! Finds what the API server knows of one TiDB cluster: the v1 TidbCluster, else the v2 Cluster, else nothing. A CRD that
//! is not installed is a 404 like a missing object, and means the same.

use super::{
    TopologyConfig,
    api::{self, Call},
    config::{DATA_DIR, Directories},
    names,
    secrets::TlsSecrets,
    v1, v2,
};
use crate::ports::PortError;
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
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
            domain: super::address::domain(&config.cluster_domain),
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

/// Reads v1, then v2. A v1 object wins: where both exist, restore tooling of v1 is still in use.
pub(crate) async fn cluster(
    client: &Client,
    config: &TopologyConfig,
    namespace: &str,
    name: &str,
) -> Result<Cluster, PortError> {
    let fallback = super::address::domain(&config.cluster_domain);
    let mut found = if let Some(object) = get(client, "pingcap.com", "TidbCluster", namespace, name).await? {
        v1::read(namespace, name, object)
    } else if let Some(object) = get(client, "core.pingcap.com", "Cluster", namespace, name).await? {
        let resource = resource("core.pingcap.com", "TiKVGroup");
        let call = Call::new("list", "tikvgroups.core.pingcap.com", Some(namespace), "").named_by(names::TC_NAMESPACE);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let groups = api::list(&call, &api, "").await?.unwrap_or_default();
        v2::read(name, &object, &groups.into_iter().map(value).collect::<Vec<_>>())
    } else {
        Cluster::none(config)
    };
    found.domain = found.domain.or(fallback);
    Ok(found)
}

async fn get(
    client: &Client,
    group: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, PortError> {
    let resource = resource(group, kind);
    let shown = if kind == "Cluster" { "clusters.core.pingcap.com" } else { "tidbclusters.pingcap.com" };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let call = Call::new("get", shown, Some(namespace), name).named_by(names::TC_NAMESPACE);
    Ok(call.optional(api.get(name)).await?.map(value))
}

pub(crate) fn resource(group: &str, kind: &str) -> ApiResource {
    let plural = format!("{}s", kind.to_ascii_lowercase());
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1alpha1", kind), &plural)
}

/// An object as plain JSON. It came out of JSON, so it goes back; the empty value is for the type checker.
pub(crate) fn value(object: impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
