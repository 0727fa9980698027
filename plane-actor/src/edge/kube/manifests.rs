//! The objects that belong to a TidbCluster, as TiDB Operator keeps them beside a backup below `manifests/`
//! (`facts/tidb-operator.md` §5.1): for a person who has to set the cluster up again. Nothing here fails a backup.

use super::api::{self, Call, resource, value};
use crate::ports::{Manifest, Manifests};
use kube::{Api, Client, api::DynamicObject};
use serde_json::Value;

const GROUP: &str = "pingcap.com";
const CLUSTER: &str = "TidbCluster";

/// Kind and resource of what may refer to a TidbCluster.
const OTHERS: [(&str, &str); 4] = [
    ("TidbDashboard", "tidbdashboards"),
    ("TidbInitializer", "tidbinitializers"),
    ("TidbMonitor", "tidbmonitors"),
    ("TidbNGMonitoring", "tidbngmonitorings"),
];

/// The TidbCluster, and what in its namespace refers to it. Under Operator v2 and without an operator there is none.
pub(crate) async fn manifests(client: &Client, namespace: &str, name: &str) -> Manifests {
    let mut all = Manifests::default();
    let call = Call::new("get", "tidbclusters.pingcap.com", Some(namespace), name);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(GROUP, CLUSTER));
    match call.optional(api.get(name)).await {
        Ok(Some(object)) => all.found.push(manifest(namespace, CLUSTER, value(object))),
        Ok(None) => return all,
        Err(error) => {
            all.unread.push(error.to_string());
            return all;
        }
    }
    for (kind, plural) in OTHERS {
        let call = Call::new("list", plural, Some(namespace), "");
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(GROUP, kind));
        match api::list(&call, &api, "").await {
            Ok(found) => {
                let found = found.into_iter().flatten().map(value).filter(|object| refers(object, namespace, name));
                all.found.extend(found.map(|object| manifest(namespace, kind, object)));
            }
            Err(error) => all.unread.push(error.to_string()),
        }
    }
    all
}

/// `spec.cluster` or one of `spec.clusters` is this TidbCluster; without a namespace it is the object's own.
fn refers(object: &Value, namespace: &str, name: &str) -> bool {
    let is = |of: &Value| {
        of["name"] == name && of["namespace"].as_str().filter(|ns| !ns.is_empty()).is_none_or(|ns| ns == namespace)
    };
    is(&object["spec"]["cluster"]) || object["spec"]["clusters"].as_array().is_some_and(|all| all.iter().any(is))
}

fn manifest(namespace: &str, kind: &str, mut object: Value) -> Manifest {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    // A list leaves these out of its items.
    object["apiVersion"] = format!("{GROUP}/v1alpha1").into();
    object["kind"] = kind.into();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Manifest { namespace: namespace.to_owned(), kind: kind.to_owned(), name, object }
}
