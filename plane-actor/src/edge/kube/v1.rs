//! What a v1 TidbCluster says (`facts/topology.md` §3, §5). Pure.

use super::{
    address::domain,
    cluster::{Cluster, Group, Operator},
    config::{self, DATA_DIR, Directories},
    secrets::TlsSecrets,
};
use crate::edge::url::full;
use serde_json::Value;
use std::collections::BTreeMap;

/// PD URLs kept. PD has at most seven members in one place; peers of all planes fit, and a status that somebody filled
/// with thousands does not become thousands of dials.
const MAX_URLS: usize = 32;

/// Reads the object; total: what is missing or malformed counts as absent.
pub(crate) fn read(namespace: &str, name: &str, object: Value) -> Cluster {
    let spec = &object["spec"];
    let tls = spec["tlsCluster"]["enabled"].as_bool().unwrap_or(false);
    let secret = format!("{name}-cluster-client-secret");
    let group = Group { directories: directories(&spec["tikv"]), ..Group::default() };
    Cluster {
        operator: Operator::V1,
        urls: urls(namespace, name, &object, if tls { "https" } else { "http" }),
        tls: tls.then(|| TlsSecrets { ca: secret.clone(), pair: secret }),
        domain: text(&spec["clusterDomain"]).and_then(|text| domain(&text)),
        groups: BTreeMap::from([(String::new(), group)]),
        pd_replicas: replicas(&spec["pd"]),
        tidb_replicas: replicas(&spec["tidb"]),
        object: cleaned(object),
    }
}

/// The plane's own PD service, else that of the cluster it joined; then every member that status or spec names, because a
/// plane's own PD may be down while the cluster's is not.
fn urls(namespace: &str, name: &str, object: &Value, scheme: &str) -> Vec<String> {
    let spec = &object["spec"];
    let mut urls = Vec::new();
    if spec["pd"].is_object() {
        urls.push(service(scheme, &format!("{name}-pd"), namespace, text(&spec["clusterDomain"])));
    } else if let Some(joined) = text(&spec["cluster"]["name"]) {
        let suffix = if spec["acrossK8s"].as_bool().unwrap_or(false) { "pd-peer" } else { "pd" };
        let namespace = text(&spec["cluster"]["namespace"]).unwrap_or_else(|| namespace.to_owned());
        let domain = text(&spec["cluster"]["clusterDomain"]);
        urls.push(service(scheme, &format!("{joined}-{suffix}"), &namespace, domain));
    }
    let status = &object["status"]["pd"];
    let mut members: Vec<&Value> = ["members", "peerMembers"]
        .iter()
        .filter_map(|field| status[*field].as_object())
        .flat_map(|members| members.values())
        .collect();
    members.sort_by_key(|member| !member["health"].as_bool().unwrap_or(false));
    urls.extend(members.into_iter().filter_map(|member| text(&member["clientURL"])).map(|url| full(&url, scheme)));
    let addresses = spec["pdAddresses"].as_array().into_iter().flatten();
    urls.extend(addresses.filter_map(text).map(|address| full(&address, scheme)));
    let mut kept: Vec<String> = Vec::new();
    for url in urls {
        if kept.len() < MAX_URLS && !kept.contains(&url) {
            kept.push(url);
        }
    }
    kept
}

/// `.svc` stands only before a domain: without one the short name is what the operator itself dials (op1 PDC).
fn service(scheme: &str, name: &str, namespace: &str, domain: Option<String>) -> String {
    let domain = domain.and_then(|text| self::domain(&text)).map(|domain| format!(".svc.{domain}")).unwrap_or_default();
    format!("{scheme}://{name}.{namespace}{domain}:2379")
}

fn directories(tikv: &Value) -> Directories {
    let data = match text(&tikv["dataSubDir"]) {
        Some(sub) => format!("{DATA_DIR}/{}", sub.trim_matches('/')),
        None => DATA_DIR.to_owned(),
    };
    Directories::new(data, tikv.get("config"))
}

/// As it goes into the metadata: no managedFields, configuration as TOML text.
fn cleaned(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if let Some(config) = object.pointer_mut("/spec/tikv/config")
        && let Some(text) = config::as_toml_text(config)
    {
        *config = Value::String(text);
    }
    object
}

fn replicas(component: &Value) -> u32 {
    component["replicas"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_pd_is() {
        let rows = [
            ("own PD", json!({"pd": {"replicas": 1}}), json!({}), vec!["http://db-pd.ns1:2379"]),
            (
                "own PD, TLS, domain",
                json!({"pd": {}, "tlsCluster": {"enabled": true}, "clusterDomain": "az1.local", "acrossK8s": true}),
                json!({}),
                vec!["https://db-pd.ns1.svc.az1.local:2379"],
            ),
            (
                "joined, same namespace",
                json!({"cluster": {"name": "main"}}),
                json!({}),
                vec!["http://main-pd.ns1:2379"],
            ),
            (
                "joined across Kubernetes",
                json!({"acrossK8s": true, "clusterDomain": "az2.local",
                       "cluster": {"name": "main", "namespace": "other", "clusterDomain": "az1.local"}}),
                json!({}),
                vec!["http://main-pd-peer.other.svc.az1.local:2379"],
            ),
            (
                "own PD wins over the cluster it joined",
                json!({"pd": {"replicas": 1}, "cluster": {"name": "main", "clusterDomain": "az1.local"}}),
                json!({}),
                vec!["http://db-pd.ns1:2379"],
            ),
            (
                "pdAddresses alone",
                json!({"pdAddresses": ["http://pd-a:2380", "pd-b", "pd-b:2379", "http://[fd00::1]"]}),
                json!({}),
                vec!["http://pd-a:2380", "http://pd-b:2379", "http://[fd00::1]:2379"],
            ),
            (
                "members of every plane, healthy ones first, none twice",
                json!({"pd": {"replicas": 1}}),
                json!({"pd": {"members": {"a": {"clientURL": "http://a:2379", "health": false}},
                              "peerMembers": {"b": {"clientURL": "http://b:2379", "health": true},
                                              "c": {"clientURL": "http://db-pd.ns1:2379", "health": true}}}}),
                vec!["http://db-pd.ns1:2379", "http://b:2379", "http://a:2379"],
            ),
            (
                "a domain with its final dot",
                json!({"pd": {}, "clusterDomain": "AZ1.local."}),
                json!({}),
                vec!["http://db-pd.ns1.svc.az1.local:2379"],
            ),
            ("pd: null, nothing else", json!({"pd": null}), json!({}), vec![]),
        ];
        for (what, spec, status, expected) in rows {
            let cluster = read("ns1", "db", json!({"metadata": {}, "spec": spec, "status": status}));
            assert_eq!(cluster.urls, expected, "{what}");
        }
    }

    #[test]
    fn the_object_is_kept_without_managed_fields_and_with_toml_text() {
        let cluster = read(
            "ns1",
            "db",
            json!({
                "metadata": {"name": "db", "managedFields": [{}]},
                "spec": {"tikv": {"replicas": 3, "config": {"raft-engine": {"dir": "/r"}}}, "pd": {"replicas": 2}, "tidb": null},
                "status": {"clusterID": "7"},
            }),
        );
        assert_eq!(cluster.object["metadata"], json!({"name": "db"}));
        assert!(cluster.object["spec"]["tikv"]["config"].as_str().is_some_and(|text| text.contains("dir = \"/r\"")));
        assert_eq!(cluster.object["status"]["clusterID"], "7");
        assert_eq!((cluster.pd_replicas, cluster.tidb_replicas), (2, 0));
        assert_eq!(read("ns1", "db", json!("nonsense")).urls, Vec::<String>::new());
    }
}
