//! The manifest grants what this code calls, to the account that the Deployment runs as.

use crate::edge::{
    kube::placement::{CLUSTER_WIDE, IN_NAMESPACE},
    local::LocalTopology,
};
use api_server::ApiServer;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::ConfigMap,
    rbac::v1::{ClusterRole, PolicyRule, Role},
};
use serde_json::Value;
use std::path::Path;

fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The documents of one kind, through the type that the API server would decode them into.
fn of<T: serde::de::DeserializeOwned>(documents: &[Value], kind: &str) -> Vec<T> {
    let matching = documents.iter().filter(|document| document["kind"] == kind);
    matching.map(|document| serde_json::from_value(document.clone()).unwrap()).collect()
}

fn grants(rules: &[PolicyRule], group: &str, resource: &str, verb: &str, name: &str) -> bool {
    let has = |list: Option<&Vec<String>>, word: &str| list.is_some_and(|list| list.iter().any(|entry| entry == word));
    rules.iter().any(|rule| {
        has(rule.api_groups.as_ref(), group)
            && has(rule.resources.as_ref(), resource)
            && has(Some(&rule.verbs), verb)
            && (rule.resource_names.is_none() || has(rule.resource_names.as_ref(), name))
    })
}

#[test]
fn every_manifest_parses_into_its_kind() {
    for file in ["coordinator.yaml", "plane-actor.yaml"] {
        let documents = documents(file);
        let deployments: Vec<Deployment> = of(&documents, "Deployment");
        let account =
            deployments[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap().service_account_name.clone();
        assert!(documents.iter().any(|document| document["kind"] == "ServiceAccount"
            && document["metadata"]["name"].as_str() == account.as_deref()));
        let roles: Vec<Role> = of(&documents, "Role");
        // Those for people are bound by whoever installs.
        let people = |role: &&Role| {
            let name = role.metadata.name.as_deref().unwrap_or_default();
            name.ends_with("-viewer") || name.ends_with("-admin")
        };
        let bound = documents.iter().filter(|document| document["kind"] == "RoleBinding").count();
        assert_eq!(roles.len() - roles.iter().filter(people).count(), bound, "{file}");
        let maps: Vec<ConfigMap> = of(&documents, "ConfigMap");
        let config: Value = serde_saphyr::from_str(&maps[0].data.as_ref().unwrap()["config.yaml"]).unwrap();
        assert!(config["trustDomain"].is_string() && config["tls"]["key"].is_string(), "{file}");
    }
    for file in ["backup-access-key.yaml", "backup-iam-pod.yaml", "backup-iam-serviceaccount.yaml"] {
        let documents = documents(&format!("examples/{file}"));
        assert_eq!(documents[0]["kind"], "VolumeBackup");
        assert!(
            documents[0]["spec"]["template"]["br"].is_object() && documents[0]["spec"]["template"]["s3"].is_object()
        );
    }
}

/// `stopGraceSeconds` and the limit of an abort (`coordinator::ending`), and time to spare.
#[test]
fn kubernetes_leaves_the_coordinator_its_grace() {
    let documents = documents("coordinator.yaml");
    let deployments: Vec<Deployment> = of(&documents, "Deployment");
    let pod = deployments[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let maps: Vec<ConfigMap> = of(&documents, "ConfigMap");
    let config: Value = serde_saphyr::from_str(&maps[0].data.as_ref().unwrap()["config.yaml"]).unwrap();
    let grace = config["stopGraceSeconds"].as_i64().unwrap();
    assert!(pod.termination_grace_period_seconds.unwrap() >= grace + 10 + 10);
}

#[tokio::test]
async fn the_plane_actor_may_do_what_it_calls() {
    let documents = documents("plane-actor.yaml");
    let rules = |namespace: &str| {
        let roles: Vec<Role> = of(&documents, "Role");
        let role = roles.into_iter().find(|role| role.metadata.namespace.as_deref() == Some(namespace));
        role.unwrap().rules.unwrap()
    };
    let (tidb, own) = (rules("tidb"), rules("isochron"));
    for (group, resource, verb, name) in [
        ("", "pods", "list", ""),
        ("", "persistentvolumeclaims", "get", ""),
        ("pingcap.com", "tidbclusters", "get", ""),
        ("core.pingcap.com", "clusters", "get", ""),
        ("core.pingcap.com", "tikvgroups", "list", ""),
        ("", "secrets", "get", "s3-secret"),
        ("", "secrets", "get", "shop-az1-cluster-client-secret"),
        ("", "serviceaccounts", "get", "tidb-backup-manager"),
        ("", "serviceaccounts/token", "create", "tidb-backup-manager"),
    ] {
        assert!(grants(&tidb, group, resource, verb, name), "{verb} {resource}.{group} {name}");
    }
    assert!(!grants(&tidb, "", "secrets", "get", "another"), "secrets go by name");
    for (verb, name) in [("get", "isochron-plane-prod-az1"), ("update", "isochron-plane-prod-az1"), ("create", "")] {
        assert!(grants(&own, "", "configmaps", verb, name), "{verb} configmaps {name}");
    }
    let cluster: Vec<ClusterRole> = of(&documents, "ClusterRole");
    assert!(grants(cluster[0].rules.as_ref().unwrap(), "", "persistentvolumes", "get", ""));
    // The ledger's name is what the Role names.
    let ledger = crate::edge::kube::KubeLedger::new(ApiServer::default().client(), "isochron", &"prod-az1".into());
    assert_eq!(ledger.name(), "isochron-plane-prod-az1");
}

/// The chart gives these where `restore.enabled` is set, and the program asks whether it has them.
#[test]
fn a_restore_is_given_what_it_calls_and_no_more() {
    for (file, wanted) in [("restore-cluster-role", &CLUSTER_WIDE[..]), ("restore-role", &IN_NAMESPACE[..])] {
        let path = format!("../deploy/charts/isochron-plane/files/{file}.yaml");
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let rules: Vec<PolicyRule> = serde_saphyr::from_str(&text).unwrap();
        let given: Vec<(String, String, Vec<String>)> = rules
            .into_iter()
            .map(|rule| (rule.api_groups.unwrap().join(","), rule.resources.unwrap().join(","), rule.verbs))
            .collect();
        let words = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect::<Vec<_>>();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(group, resource, verbs)| ((*group).to_owned(), (*resource).to_owned(), words(verbs)))
            .collect();
        assert_eq!(given, wanted, "{file}");
    }
}

#[tokio::test]
async fn the_example_of_a_plane_without_kubernetes_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/topology.yaml");
    LocalTopology::new(file).check().await.unwrap();
}
