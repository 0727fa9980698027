//! Finds what the API server knows of one TiDB cluster: the v1 TidbCluster, else the v2 Cluster, else nothing. A CRD that
//! is not installed is a 404 like a missing object, and means the same.

use super::{
    address::domain,
    api::{self, Call, resource, value},
    cluster::Cluster,
    names,
    settings::TopologyConfig,
    v1, v2,
};
use crate::ports::PortError;
use kube::{Api, Client, api::DynamicObject};
use serde_json::Value;

/// Reads v1, then v2. A v1 object wins: where both exist, restore tooling of v1 is still in use.
pub(crate) async fn cluster(
    client: &Client,
    config: &TopologyConfig,
    namespace: &str,
    name: &str,
) -> Result<Cluster, PortError> {
    let fallback = domain(&config.cluster_domain);
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
