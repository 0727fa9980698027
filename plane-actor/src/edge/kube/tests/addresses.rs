//! Every row of `facts/topology.md` §4, and what could be mistaken for one.

use super::{refusal, store};
use crate::{
    edge::kube::address::{Candidate, assign, domain, namespaces, split},
    ports::PortError,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use shared::reason::Reason;

struct PodLike<'a> {
    name: &'a str,
    subdomain: &'a str,
    namespace: &'a str,
    label: Option<&'a str>,
    ips: &'a [&'a str],
    port: u16,
    phase: &'a str,
}

const DB0: PodLike<'_> = PodLike {
    name: "db-tikv-0",
    subdomain: "db-tikv-peer",
    namespace: "ns1",
    label: None,
    ips: &["10.0.0.7", "fd00::7"],
    port: 20160,
    phase: "Running",
};

const KV: PodLike<'_> = PodLike { name: "kv-tikv-a1b2c3", subdomain: "kv-tikv-peer", ips: &[], ..DB0 };

fn candidate(pod: &PodLike<'_>) -> Candidate {
    let labels = pod.label.map(|label| json!({"tidb.pingcap.com/store-id": label}));
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": pod.name, "namespace": pod.namespace, "labels": labels},
        "spec": {"subdomain": pod.subdomain, "containers": [{"name": "tikv", "ports": [{"containerPort": pod.port}]}]},
        "status": {"phase": pod.phase, "podIPs": pod.ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>()},
    }))
    .unwrap();
    Candidate::of(&pod)
}

fn is_local(address: &str, pod: &PodLike<'_>, domain: Option<&str>) -> bool {
    assign(&[store(4, address)], &[candidate(pod)], domain).unwrap() == [(0, 0)]
}

#[test]
fn every_form_of_an_address() {
    let labelled = PodLike { label: Some("4"), ..DB0 };
    let foreign = PodLike { label: Some("9"), ..DB0 };
    let finished = PodLike { phase: "Failed", ..DB0 };
    let rows = [
        // v1 without clusterDomain.
        ("db-tikv-0.db-tikv-peer.ns1.svc:20160", &DB0, None, true),
        ("DB-tikv-0.db-tikv-peer.ns1.svc.:20160", &DB0, None, true),
        ("db-tikv-0.db-tikv-peer.ns1.svc:20160", &foreign, None, true),
        // v1 with clusterDomain; planes with equal names differ only there.
        ("db-tikv-0.db-tikv-peer.ns1.svc.az1.local:20160", &DB0, Some("az1.local"), true),
        ("db-tikv-0.db-tikv-peer.ns1.svc.az2.local:20160", &DB0, Some("az1.local"), false),
        ("db-tikv-0.db-tikv-peer.ns1.svc.az2.local:20160", &labelled, Some("az1.local"), false),
        ("db-tikv-0.db-tikv-peer.ns1.svc.az1.local:20160", &DB0, None, false),
        ("db-tikv-0.db-tikv-peer.ns1.svc.az1.local:20160", &foreign, Some("az1.local"), true),
        // An address from before clusterDomain was set; the label may speak against it.
        ("db-tikv-0.db-tikv-peer.ns1.svc:20160", &DB0, Some("az1.local"), true),
        ("db-tikv-0.db-tikv-peer.ns1.svc:20160", &labelled, Some("az1.local"), true),
        ("db-tikv-0.db-tikv-peer.ns1.svc:20160", &foreign, Some("az1.local"), false),
        // v2 InCluster, v2 FQDN with its default domain and with another.
        ("kv-tikv-a1b2c3.kv-tikv-peer.ns1:20160", &KV, None, true),
        ("kv-tikv-a1b2c3.kv-tikv-peer.ns1.svc.cluster.local:20160", &KV, None, true),
        ("kv-tikv-a1b2c3.kv-tikv-peer.ns1.svc.az1.local:20160", &KV, Some("az1.local"), true),
        ("kv-tikv-a1b2c3.kv-tikv-peer.ns1.svc.cluster.local:20160", &KV, Some("az1.local"), false),
        // Another pod, service, namespace; a name too short; a domain that only begins alike.
        ("db-tikv-1.db-tikv-peer.ns1.svc:20160", &DB0, None, false),
        ("db-tikv-0.db-peer.ns1.svc:20160", &DB0, None, false),
        ("db-tikv-0.db-tikv-peer.ns2.svc:20160", &DB0, None, false),
        ("db-tikv-0.db-tikv-peer:20160", &DB0, None, false),
        ("db-tikv-0.db-tikv-peer.ns1.svcaz1.local:20160", &DB0, Some("az1.local"), false),
        ("db-tikv-0.db-tikv-peer.ns1.pod:20160", &DB0, None, false),
        // No operator: IPs, of pods that still run.
        ("10.0.0.7:20160", &DB0, None, true),
        ("[fd00::7]:20160", &DB0, None, true),
        ("[fd00:0:0::7]:20160", &DB0, None, true),
        ("[::ffff:10.0.0.7]:20160", &DB0, None, true),
        ("10.0.0.8:20160", &DB0, None, false),
        ("10.0.0.7:20160", &finished, None, false),
        // No address at all.
        ("db-tikv-0", &DB0, None, false),
        ("", &DB0, None, false),
        (":20160", &DB0, None, false),
    ];
    for (address, pod, domain, expected) in rows {
        assert_eq!(is_local(address, pod, domain), expected, "{address} {domain:?} label {:?}", pod.label);
    }
}

#[test]
fn a_domain_is_written_in_many_ways() {
    for written in ["az1.local", "az1.local.", ".az1.local", " AZ1.Local. "] {
        assert_eq!(domain(written).as_deref(), Some("az1.local"), "{written:?}");
    }
    assert_eq!((domain(""), domain(" . ")), (None, None));
}

#[test]
fn the_own_domain_wins_over_none() {
    let stores =
        [store(9, "db-tikv-0.db-tikv-peer.ns1.svc:20160"), store(4, "db-tikv-0.db-tikv-peer.ns1.svc.az1.local:20160")];
    assert_eq!(assign(&stores, &[candidate(&DB0)], Some("az1.local")).unwrap(), [(1, 0)]);
}

#[test]
fn two_stores_of_one_pod_are_refused() {
    let stores = [store(4, "db-tikv-0.db-tikv-peer.ns1.svc:20160"), store(5, "db-tikv-0.db-tikv-peer.ns1.svc:20170")];
    let refused = refusal(assign(&stores, &[candidate(&DB0)], None).map_err(PortError::from), Reason::StoreInTwoPlanes);
    assert!(refused.message.contains("stores 4") && refused.message.contains("ns1/db-tikv-0"), "{refused}");
}

#[test]
fn pods_on_the_hosts_network_differ_by_port() {
    let a = PodLike { name: "a", port: 20160, ..DB0 };
    let b = PodLike { name: "b", port: 20170, ..DB0 };
    let stores = [store(4, "10.0.0.7:20170"), store(5, "10.0.0.7:20160")];
    assert_eq!(assign(&stores, &[candidate(&a), candidate(&b)], None).unwrap(), [(0, 1), (1, 0)]);
    let stores = [store(4, "10.0.0.7:20180")];
    let result = assign(&stores, &[candidate(&a), candidate(&b)], None).map_err(PortError::from);
    assert!(refusal(result, Reason::StoreInTwoPlanes).message.contains("ns1/a"));
}

#[test]
fn addresses_name_their_namespaces() {
    let stores = [store(1, "a.b.ns1.svc:1"), store(2, "a.b.ns2:1"), store(3, "10.0.0.7:1"), store(4, "host:1")];
    assert_eq!(namespaces(&stores).into_iter().collect::<Vec<_>>(), ["ns1", "ns2"]);
    assert_eq!(split("[fd00::7]:20160"), Some(("fd00::7".to_owned(), 20160)));
}
