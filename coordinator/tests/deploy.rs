//! The manifests fit each other, the program's defaults, and how Kubernetes rolls them out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use coordinator::config::{CoordinatorConfig, SOCKET};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
    policy::v1::PodDisruptionBudget,
    rbac::v1::ClusterRole,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file)
}

fn documents(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(deploy(file)).unwrap()).unwrap()
}

fn one<T: serde::de::DeserializeOwned>(documents: &[Value], kind: &str) -> T {
    let found = documents.iter().find(|document| document["kind"] == kind);
    serde_json::from_value(found.unwrap_or_else(|| panic!("no {kind}")).clone()).unwrap()
}

fn config_of(documents: &[Value]) -> Value {
    serde_saphyr::from_str(&one::<ConfigMap>(documents, "ConfigMap").data.unwrap()["config.yaml"]).unwrap()
}

/// A percentage or a number of pods, as the Deployment controller takes it of one replica.
fn pods(value: Option<&k8s_openapi::apimachinery::pkg::util::intstr::IntOrString>, up: bool) -> i32 {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    match value {
        Some(IntOrString::Int(pods)) => *pods,
        Some(IntOrString::String(_)) | None => i32::from(up),
    }
}

#[test]
fn a_rollout_ends_whoever_leads() {
    let deployment: Deployment = one(&documents("coordinator.yaml"), "Deployment");
    let spec = deployment.spec.unwrap();
    let container = &spec.template.spec.as_ref().unwrap().containers[0];
    let path = |probe: &Option<k8s_openapi::api::core::v1::Probe>| {
        probe.as_ref().unwrap().http_get.as_ref().unwrap().path.clone().unwrap()
    };
    assert_eq!(
        (path(&container.readiness_probe).as_str(), path(&container.liveness_probe).as_str()),
        ("/readyz", "/healthz")
    );
    // A new pod is made before an old one must go, or an old one may go before the new one is ready.
    let strategy = spec.strategy.unwrap();
    let rolling = strategy.rolling_update.unwrap();
    let (surge, away) = (pods(rolling.max_surge.as_ref(), true), pods(rolling.max_unavailable.as_ref(), false));
    assert_eq!(strategy.type_.as_deref(), Some("RollingUpdate"));
    assert!(surge >= 1 || away >= 1, "surge {surge}, unavailable {away}");
}

#[test]
fn the_load_balancer_asks_who_leads() {
    let documents = documents("coordinator.yaml");
    let service: Service = one(&documents, "Service");
    let annotations = service.metadata.annotations.unwrap();
    let said =
        |name: &str| annotations[&format!("service.beta.kubernetes.io/aws-load-balancer-healthcheck-{name}")].as_str();
    assert_eq!((said("protocol"), said("path")), ("HTTP", "/leadz"));
}

#[test]
fn no_budget_blocks_a_drain() {
    for file in ["coordinator.yaml", "plane-actor.yaml"] {
        let documents = documents(file);
        let (budget, deployment): (PodDisruptionBudget, Deployment) =
            (one(&documents, "PodDisruptionBudget"), one(&documents, "Deployment"));
        let budget = budget.spec.unwrap();
        assert!(budget.min_available.is_none() && pods(budget.max_unavailable.as_ref(), false) >= 1, "{file}");
        assert_eq!(budget.unhealthy_pod_eviction_policy.as_deref(), Some("AlwaysAllow"), "{file}");
        assert_eq!(budget.selector, Some(deployment.spec.unwrap().selector), "{file}");
    }
}

#[test]
fn programs_and_manifests_speak_of_one_trust_domain() {
    let default = CoordinatorConfig::default();
    for file in ["coordinator.yaml", "plane-actor.yaml"] {
        let config = config_of(&documents(file));
        assert_eq!(config["trustDomain"], default.trust_domain, "{file}");
        for key in ["listen", "http"] {
            assert!(config[key].as_str().is_none_or(|address| address.starts_with("[::]:")), "{file}: {key}");
        }
    }
    assert_eq!(default.trust_domain, shell::tls::TRUST_DOMAIN);
    // So do the pages' commands: where they say nothing, the default counts.
    for page in ["README.md", "../README.md", "coordinator.yaml", "plane-actor.yaml"] {
        let text = std::fs::read_to_string(deploy(page)).unwrap();
        let mut commands = text.lines().filter(|line| line.starts_with("coordinator "));
        assert!(!commands.any(|line| line.contains("--trust-domain")), "{page}");
        for line in text.lines().filter(|line| line.contains("coordinator crd | kubectl apply")) {
            assert!(line.contains("--server-side --force-conflicts"), "{page}: {line}");
        }
    }
}

#[test]
fn planes_know_the_coordinator_by_a_name_in_its_certificate() {
    let name = config_of(&documents("plane-actor.yaml"))["serverName"].as_str().unwrap().to_owned();
    for page in ["README.md", "../README.md"] {
        let text = std::fs::read_to_string(deploy(page)).unwrap();
        let made = text.lines().find_map(|line| line.trim().strip_prefix("coordinator pki coordinator ")).unwrap();
        assert_eq!(made.split_whitespace().next(), Some(name.as_str()), "{page}: {made}");
    }
}

/// Who does not know that a key was stolen obeys the thief.
#[test]
fn every_program_gets_the_revocation_list() {
    let page = std::fs::read_to_string(deploy("README.md")).unwrap();
    for (file, secret) in [("coordinator.yaml", "isochron-coordinator-tls"), ("plane-actor.yaml", "isochron-plane-tls")]
    {
        assert_eq!(config_of(&documents(file))["tls"]["crl"], "/etc/isochron/tls/crl.pem", "{file}");
        let (_, command) = page.split_once(&format!("create secret generic {secret}")).unwrap();
        let command: String = command
            .lines()
            .scan(true, |more, line| {
                more.then(|| {
                    *more = line.ends_with('\\');
                    line
                })
            })
            .collect();
        assert!(command.contains("--from-file=crl.pem=pki/crl.pem"), "{secret}: {command}");
    }
}

#[test]
fn the_console_finds_its_socket_in_the_pod() {
    let deployment: Deployment = one(&documents("coordinator.yaml"), "Deployment");
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let folder = Path::new(SOCKET).parent().unwrap().to_str().unwrap();
    let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
    let mount = mounts.iter().find(|mount| mount.mount_path == folder).expect("the socket's folder is mounted");
    assert!(mount.read_only.is_none());
    let volumes = pod.volumes.unwrap();
    let volume = volumes.iter().find(|volume| volume.name == mount.name).unwrap();
    assert!(volume.empty_dir.is_some(), "of this pod alone");
    assert_eq!(CoordinatorConfig::default().socket, Path::new(SOCKET));
}

#[test]
fn the_coordinator_may_look_at_its_own_kinds_only() {
    let role: ClusterRole = one(&documents("coordinator.yaml"), "ClusterRole");
    let rules = role.rules.unwrap();
    let of = |rule: &&k8s_openapi::api::rbac::v1::PolicyRule| {
        rule.resources.as_ref().is_some_and(|all| all.iter().any(|one| one == "customresourcedefinitions"))
    };
    let rule = rules.iter().find(of).expect("the right to look");
    let mut named = rule.resource_names.clone().unwrap();
    let mut kinds: Vec<String> =
        coordinator::edge::kube::crd::definitions().into_iter().filter_map(|kind| kind.metadata.name).collect();
    named.sort_unstable();
    kinds.sort_unstable();
    assert_eq!((named, &rule.verbs), (kinds, &vec!["get".to_owned()]));
}
