//! `local_stores`, and that what it makes is accepted by restore.

use super::{backupmeta, refusal, restore_accepts, store};
use crate::{
    edge::kube::{KubeTopology, TopologyConfig},
    ports::{LocalStore, MountedOn, Topology},
};
use api_server::ApiServer;
use serde_json::{Value, json};
use shared::{
    evidence::ClusterStore,
    ids::{StoreId, VolumeId},
    reason::Reason,
};

const PODS: &str = "/api/v1/namespaces/ns1/pods";
const TC: &str = "/apis/pingcap.com/v1alpha1/namespaces/ns1/tidbclusters/db";

/// A TiKV pod with claims (pod volume, claim, mount path).
fn pod(name: &str, subdomain: &str, labels: Value, claims: &[(&str, &str, &str)], ip: &str) -> Value {
    let volume = |(volume, claim, _): &(&str, &str, &str)| json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}});
    let mount = |(volume, _, path): &(&str, &str, &str)| json!({"name": volume, "mountPath": path});
    json!({
        "metadata": {"name": name, "namespace": "ns1", "labels": labels},
        "spec": {"subdomain": subdomain, "volumes": claims.iter().map(volume).collect::<Vec<_>>(),
                 "containers": [{"name": "tikv", "volumeMounts": claims.iter().map(mount).collect::<Vec<_>>()}]},
        "status": {"phase": "Running", "podIPs": [{"ip": ip}]},
    })
}

/// A claim, its PV and its volume, all named after `n`.
fn bound(fake: ApiServer, claim: &str, n: u32) -> ApiServer {
    let pvc = json!({"metadata": {"name": claim, "namespace": "ns1", "managedFields": [{}],
                                  "labels": {"pingcap.com/cluster": "db", "app.kubernetes.io/instance": "db"},
                                  "ownerReferences": [{"apiVersion": "v1", "kind": "TiKV", "name": "x", "uid": "u"}]},
                     "spec": {"volumeName": format!("pv-{n}")}});
    let pv = json!({"metadata": {"name": format!("pv-{n}")},
                    "spec": {"claimRef": {"namespace": "ns1", "name": claim},
                             "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-0a{n}")}}});
    fake.with(&format!("/api/v1/namespaces/ns1/persistentvolumeclaims/{claim}"), pvc)
        .with(&format!("/api/v1/persistentvolumes/pv-{n}"), pv)
}

fn topology(fake: &ApiServer) -> KubeTopology {
    KubeTopology::new(fake.client(), TopologyConfig::default())
}

fn names(stores: &[LocalStore]) -> Vec<String> {
    let volumes = stores.iter().flat_map(|store| &store.volumes);
    volumes.map(|volume| volume.pvc["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn v1() -> ApiServer {
    let tc = json!({"metadata": {"name": "db", "namespace": "ns1"}, "spec": {"acrossK8s": true, "clusterDomain": "az1.local",
        "pd": {"replicas": 1}, "tidb": {"replicas": 1}, "tikv": {"replicas": 2,
            "config": "[raft-engine]\ndir = \"/var/lib/raft\"\n",
            "storageVolumes": [{"name": "raft", "mountPath": "/var/lib/raft", "storageSize": "50Gi"}]}}});
    let one = |n: u32| {
        let (data, raft) = (format!("tikv-db-tikv-{n}"), format!("tikv-raft-db-tikv-{n}"));
        let claims = [("tikv-raft", raft.as_str(), "/var/lib/raft"), ("tikv", data.as_str(), "/var/lib/tikv")];
        pod(&format!("db-tikv-{n}"), "db-tikv-peer", json!({"tidb.pingcap.com/store-id": "77"}), &claims, "10.0.0.1")
    };
    let mut fake = ApiServer::default().with(TC, tc).list(PODS, &[one(0), one(3)]);
    for n in [0, 3] {
        fake = bound(fake, &format!("tikv-db-tikv-{n}"), n * 10);
        fake = bound(fake, &format!("tikv-raft-db-tikv-{n}"), n * 10 + 1);
    }
    fake
}

fn v1_stores() -> Vec<ClusterStore> {
    ["az2", "az1"]
        .iter()
        .flat_map(|plane| [(5, 3), (4, 0)].map(|(id, n)| (plane, id, n)))
        .map(|(plane, id, n)| {
            let id = if *plane == "az1" { id } else { id + 100 };
            store(id, &format!("db-tikv-{n}.db-tikv-peer.ns1.svc.{plane}.local:20160"))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn v1_keeps_its_names_and_leaves_the_other_plane_out() {
    let fake = v1();
    let stores = topology(&fake).local_stores("ns1", "db", &v1_stores()).await.unwrap();
    assert_eq!(stores.iter().map(|store| store.store).collect::<Vec<_>>(), [StoreId(4), StoreId(5)]);
    assert_eq!(stores[0].pod, "db-tikv-0");
    assert_eq!(names(&stores), ["tikv-db-tikv-0", "tikv-raft-db-tikv-0", "tikv-db-tikv-3", "tikv-raft-db-tikv-3"]);
    let raft = &stores[1].volumes[1];
    assert_eq!(raft.volume, VolumeId::new("vol-0a31"));
    assert_eq!((raft.mount_path.as_str(), raft.kind.as_str()), ("/var/lib/raft", "raft-engine.dir"));
    assert_eq!(stores[1].volumes[0].kind, "storage.data-dir");
    let located = topology(&fake).locate("ns1", "db").await.unwrap();
    assert_eq!(restore_accepts(&backupmeta(&located, &stores, 4)), Ok(()));
    // The selector keeps the API server from sending every pod of the namespace.
    assert!(fake.requests().iter().any(|request| request.contains("pods?") && request.contains("component%3Dtikv")));
}

#[tokio::test(start_paused = true)]
async fn v1_claims_of_another_tidbcluster_are_numbered_on() {
    let claims =
        [("tikv", "tikv-more-tikv-0", "/var/lib/tikv"), ("tikv-raft", "tikv-raft-more-tikv-0", "/var/lib/raft")];
    let more = pod("more-tikv-0", "more-tikv-peer", json!({}), &claims, "10.0.0.9");
    let fake = bound(bound(v1(), "tikv-more-tikv-0", 90), "tikv-raft-more-tikv-0", 91);
    fake.change(PODS, |pods| pods["items"].as_array_mut().unwrap().push(more));
    let mut stores = v1_stores();
    stores.push(store(1, "more-tikv-0.more-tikv-peer.ns1.svc.az1.local:20160"));
    let stores = topology(&fake).local_stores("ns1", "db", &stores).await.unwrap();
    assert_eq!(names(&stores)[..2], ["tikv-db-tikv-4", "tikv-raft-db-tikv-4"]);
    assert_eq!(stores[0].volumes[0].pv["spec"]["claimRef"]["name"], "tikv-db-tikv-4");
}

/// Everything that is mounted for TiKV is told, and as what: a raft log may have been put onto any of it.
#[tokio::test(start_paused = true)]
async fn mounts_say_what_is_under_them() {
    let fake = v1();
    fake.change(PODS, |list| {
        let spec = &mut list["items"][0]["spec"];
        let volumes = spec["volumes"].as_array_mut().unwrap();
        volumes.push(json!({"name": "nvme", "hostPath": {"path": "/nvme"}}));
        volumes.push(json!({"name": "own", "persistentVolumeClaim": {"claimName": "own-claim"}}));
        let mounts = spec["containers"][0]["volumeMounts"].as_array_mut().unwrap();
        mounts.push(json!({"name": "nvme", "mountPath": "/raft"}));
        mounts.push(json!({"name": "own", "mountPath": "/own"}));
    });
    let pod = fake.get(PODS).unwrap()["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let found = topology(&fake).local_stores("ns1", "db", &v1_stores()).await.unwrap();
    let store = found.iter().find(|store| store.pod == pod).unwrap();
    let on = |path: &str| store.mounts.iter().find(|mount| mount.path == path).map(|mount| mount.on.clone()).unwrap();
    for volume in &store.volumes {
        assert_eq!(on(&volume.mount_path), MountedOn::Volume(volume.volume.clone()));
    }
    assert_eq!(on("/raft"), MountedOn::Other("hostPath volume nvme".to_owned()));
    assert!(matches!(on("/own"), MountedOn::Other(text) if text.contains("own-claim")));
}

#[tokio::test(start_paused = true)]
async fn v2_is_renamed_to_what_restore_wants() {
    let group = json!({"metadata": {"name": "kv"}, "spec": {"cluster": {"name": "db"}, "template": {"spec": {
        "config": "[raft-engine]\ndir = \"/raft\"\n",
        "volumes": [{"name": "data", "mounts": [{"type": "data", "mountPath": "/data"}]}]}}}});
    let one = |n: u32| {
        let (data, raft) = (format!("data-kv-tikv-a{n}"), format!("raft-kv-tikv-a{n}"));
        let claims = [("ti-vol-data", data.as_str(), "/data"), ("ti-vol-raft", raft.as_str(), "/raft")];
        let labels = json!({"pingcap.com/group": "kv", "app.kubernetes.io/instance": "db"});
        pod(&format!("kv-tikv-a{n}"), "kv-tikv-peer", labels, &claims, "10.0.0.1")
    };
    let mut fake = ApiServer::default()
        .with(
            "/apis/core.pingcap.com/v1alpha1/namespaces/ns1/clusters/db",
            json!({"metadata": {"name": "db"}, "status": {"pd": "http://db-pd.ns1:2379"}}),
        )
        .list("/apis/core.pingcap.com/v1alpha1/namespaces/ns1/tikvgroups", &[group])
        .list(PODS, &[one(7), one(8)]);
    for n in [7, 8] {
        fake = bound(fake, &format!("data-kv-tikv-a{n}"), n * 10);
        fake = bound(fake, &format!("raft-kv-tikv-a{n}"), n * 10 + 1);
    }
    let stores = [store(12, "kv-tikv-a7.kv-tikv-peer.ns1:20160"), store(11, "kv-tikv-a8.kv-tikv-peer.ns1:20160")];
    let found = topology(&fake).local_stores("ns1", "db", &stores).await.unwrap();
    assert_eq!(names(&found), ["tikv-db-tikv-0", "tikv-raft-db-tikv-0", "tikv-db-tikv-1", "tikv-raft-db-tikv-1"]);
    assert_eq!(found[0].volumes[0].volume, VolumeId::new("vol-0a80"));
    assert_eq!(found[0].volumes[0].pvc["metadata"]["labels"]["pingcap.com/cluster"], Value::Null);
    let located = topology(&fake).locate("ns1", "db").await.unwrap();
    assert_eq!(restore_accepts(&backupmeta(&located, &found, 2)), Ok(()));
    assert_eq!(located.tidb_cluster["spec"]["tikv"]["config"], "[raft-engine]\ndir = \"/raft\"\n");
}

#[tokio::test(start_paused = true)]
async fn no_operator_goes_by_ip() {
    let one = pod("a", "", json!({}), &[("disk", "disk-a", "/srv")], "10.0.0.1");
    let two = pod("b", "", json!({}), &[("disk", "disk-b", "/srv")], "10.0.0.2");
    let fake = bound(bound(ApiServer::default().list(PODS, &[one, two]), "disk-a", 1), "disk-b", 2);
    // Somebody's chart labelled it; restore selects by the TidbCluster's name.
    fake.change("/api/v1/namespaces/ns1/persistentvolumeclaims/disk-a", |pvc| {
        pvc["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("a-chart");
    });
    let stores = [store(1, "10.0.0.2:20160"), store(2, "10.0.0.1:20160"), store(3, "10.0.9.9:20160")];
    let config: TopologyConfig =
        serde_json::from_value(json!({"pd": [{"namespace": "ns1", "name": "db", "urls": ["http://pd:2379"]}]}))
            .unwrap();
    let topology = KubeTopology::new(fake.client(), config);
    let found = topology.local_stores("ns1", "db", &stores).await.unwrap();
    assert_eq!(names(&found), ["tikv-db-tikv-0", "tikv-db-tikv-1"]);
    assert_eq!((found[0].pod.as_str(), found[0].volumes[0].mount_path.as_str()), ("b", "/srv"));
    let located = topology.locate("ns1", "db").await.unwrap();
    assert_eq!(restore_accepts(&backupmeta(&located, &found, 3)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_lead_to_ebs_is_named() {
    let pvc = "/api/v1/namespaces/ns1/persistentvolumeclaims/tikv-raft-db-tikv-0";
    let pv = "/api/v1/persistentvolumes/pv-1";
    type Change = fn(&mut Value);
    let rows: [(&str, Change, &[&str]); 4] = [
        (pvc, |pvc| pvc["spec"]["volumeName"] = json!(""), &["not bound"]),
        (pvc, |pvc| pvc["spec"]["volumeName"] = json!("pv-none"), &["pv-none", "does not exist"]),
        (pv, |pv| pv["spec"]["csi"]["driver"] = json!("efs.csi.aws.com"), &["pv-1", "efs.csi.aws.com"]),
        (pv, |pv| pv["spec"]["claimRef"]["name"] = json!("other"), &["pv-1", "other"]),
    ];
    for (path, change, parts) in rows {
        let fake = v1();
        fake.change(path, change);
        let refused = refusal(topology(&fake).local_stores("ns1", "db", &v1_stores()).await, Reason::VolumeUnsupported);
        let always = ["ns1/db-tikv-0", "tikv-raft-db-tikv-0"];
        assert!(always.iter().chain(parts).all(|part| refused.message.contains(part)), "{refused}: {parts:?}");
    }
    let fake = v1();
    fake.change("/api/v1/persistentvolumes/pv-31", |pv| pv["spec"]["csi"]["volumeHandle"] = json!("vol-0a0"));
    let refused = refusal(topology(&fake).local_stores("ns1", "db", &v1_stores()).await, Reason::VolumeUnsupported);
    assert!(refused.message.contains("store 4 has too"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn missing_rights_are_named_and_foreign_namespaces_are_not_ours() {
    let rows = [
        (PODS, "list pods (namespace ns1)"),
        ("/api/v1/persistentvolumes/pv-1", "get persistentvolumes (pv-1)"),
        (
            "/api/v1/namespaces/ns1/persistentvolumeclaims/tikv-db-tikv-0",
            "get persistentvolumeclaims (ns1/tikv-db-tikv-0)",
        ),
    ];
    for (path, part) in rows {
        let fake = v1().failing(path, 403);
        let refused = refusal(topology(&fake).local_stores("ns1", "db", &v1_stores()).await, Reason::AccessDenied);
        assert!(refused.message.contains(part), "{refused}");
    }
    let fake = v1().failing("/api/v1/namespaces/ns2/pods", 403);
    let mut stores = v1_stores();
    stores.push(store(50, "db-tikv-0.db-tikv-peer.ns2.svc.az1.local:20160"));
    assert_eq!(topology(&fake).local_stores("ns1", "db", &stores).await.unwrap().len(), 2);
    assert!(fake.requests().iter().any(|request| request.contains("/namespaces/ns2/pods")));
}
