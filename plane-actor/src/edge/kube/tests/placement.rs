//! What a restore writes, and that nothing of anybody else is ever overwritten or deleted.

use super::refusal;
use crate::{
    edge::kube::{KubePlacement, TopologyConfig},
    ports::{BoundVolume, Gate, Owner, Placement, PortError, Put},
};
use api_server::{ApiServer, Fault};
use http::Method;
use serde_json::{Value, json};
use shared::{
    ids::{PlaneId, VolumeId},
    placement::{Goes, LABEL, Rewriting},
    reason::Reason,
};

const TC: &str = "/apis/pingcap.com/v1alpha1/namespaces/tidb/tidbclusters/shop";
const V2: &str = "/apis/core.pingcap.com/v1alpha1/namespaces/tidb/clusters/shop";
const PODS: &str = "/api/v1/namespaces/tidb/pods";
const CLAIMS: &str = "/api/v1/namespaces/tidb/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
const NAME: &str = "isochron-uid-1-az1-0-tikv";

fn owner() -> Owner {
    Owner { restore: "uid-1".to_owned(), namespace: "tidb".to_owned(), cluster: "shop".to_owned() }
}

fn server() -> ApiServer {
    ApiServer::listing(&["pods", "persistentvolumes", "persistentvolumeclaims", "tikvgroups"]).0
}

fn placement(api: &ApiServer) -> KubePlacement {
    KubePlacement::new(api.client(), TopologyConfig::default())
}

/// As `shared::placement` makes it of a backup's.
fn volume(restore: &str, id: &str) -> BoundVolume {
    let pv = json!({"metadata": {"name": "pvc-1"}, "spec": {
        "capacity": {"storage": "500Gi"}, "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-old"}}});
    let pvc = json!({"metadata": {"name": "tikv-shop-tikv-3"}, "spec": {"storageClassName": "gp3"}});
    let (plane, volume) = (PlaneId::new("az1"), VolumeId::new(id));
    let of = Rewriting { restore, plane: &plane, namespace: "tidb", cluster: "shop", reclaim: None };
    let goes = Goes { volume: &volume, zone: "eu-west-1a", pod: 0, name: "tikv" };
    let made = of.bound(&pv, &pvc, &goes).unwrap();
    BoundVolume { pv: made.pv, pvc: Some(made.pvc) }
}

fn at(of: &str, name: &str) -> String {
    format!("{of}/{name}")
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_written_before_its_claim_and_again_is_the_same() {
    let api = server();
    let (placement, wanted) = (placement(&api), volume("uid-1", "vol-a"));
    assert_eq!(placement.put(&owner(), &wanted).await.unwrap(), Put::Made);
    let writes: Vec<String> = api.calls().into_iter().filter(|call| call.starts_with("POST")).collect();
    assert_eq!(writes, [format!("POST {VOLUMES}"), format!("POST {CLAIMS}")]);
    for (path, sent) in
        [(at(VOLUMES, NAME), &wanted.pv), (at(CLAIMS, "tikv-shop-tikv-0"), wanted.pvc.as_ref().unwrap())]
    {
        let kept = api.get(&path).unwrap();
        assert_eq!((&kept["spec"], &kept["metadata"]["labels"]), (&sent["spec"], &sent["metadata"]["labels"]));
    }
    assert_eq!(placement.put(&owner(), &wanted).await.unwrap(), Put::There);
    api.remove(&at(CLAIMS, "tikv-shop-tikv-0"));
    assert_eq!(placement.put(&owner(), &wanted).await.unwrap(), Put::Made, "the half that was missing");
    // The answer to the first write is lost, and asking again finds it.
    api.remove(&at(VOLUMES, NAME));
    api.fail(Method::POST, Fault::Mute);
    assert!(matches!(placement.put(&owner(), &wanted).await, Err(PortError::Unavailable(_))));
    assert_eq!(placement.put(&owner(), &wanted).await.unwrap(), Put::There);
    let alone = BoundVolume { pvc: None, ..wanted };
    api.remove(&at(CLAIMS, "tikv-shop-tikv-0"));
    assert_eq!(placement.put(&owner(), &alone).await.unwrap(), Put::There);
    assert!(api.get(&at(CLAIMS, "tikv-shop-tikv-0")).is_none(), "somebody else makes the claim");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_stays_as_it_is() {
    let wanted = volume("uid-1", "vol-a");
    let said = async |api: &ApiServer| match placement(api).put(&owner(), &wanted).await.unwrap() {
        Put::InTheWay(what) => what,
        other => panic!("{other:?}"),
    };
    let unlabelled = json!({"metadata": {"name": NAME}, "spec": {}, "status": {"phase": "Released"}});
    for (there, word) in [
        (unlabelled, "PersistentVolume isochron-uid-1-az1-0-tikv is there already (Released): no restore made it"),
        (volume("uid-2", "vol-a").pv, "restore uid-2 made it"),
        (volume("uid-1", "vol-b").pv, "this restore made it for another volume"),
    ] {
        let api = server();
        api.put(&at(VOLUMES, NAME), there);
        let before = api.get(&at(VOLUMES, NAME));
        assert!(said(&api).await.contains(word), "{word}");
        assert_eq!(api.get(&at(VOLUMES, NAME)), before);
        assert!(api.bodies().is_empty(), "nothing was written, the claim neither");
    }
    let api = server();
    let claim = json!({"metadata": {"name": "tikv-shop-tikv-0"}, "spec": {"volumeName": "pvc-9"}, "status": {"phase": "Bound"}});
    api.put(&at(CLAIMS, "tikv-shop-tikv-0"), claim);
    assert!(said(&api).await.contains("PersistentVolumeClaim tikv-shop-tikv-0 is there already (Bound)"));
    // Going, it is not there for long, and in nobody's way.
    let api = server();
    let mut going = wanted.pv.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-11-30T20:00:00Z");
    api.put(&at(VOLUMES, NAME), going);
    assert!(matches!(placement(&api).put(&owner(), &wanted).await, Err(PortError::Unavailable(_))));
    let api = server().failing(VOLUMES, 403);
    let denied = refusal(placement(&api).put(&owner(), &wanted).await, Reason::AccessDenied);
    assert!(denied.message.contains("create persistentvolumes"), "{denied}");
    let api = server().failing(VOLUMES, 422);
    refusal(placement(&api).put(&owner(), &wanted).await, Reason::VolumeUnsupported);
}

/// A TiKV pod of `shop`, its claims by pod volume.
fn pod(name: &str, claims: &[(&str, &str)], zone: &str) -> Value {
    let volume =
        |(volume, claim): &(&str, &str)| json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}});
    let mount = |(volume, _): &(&str, &str)| json!({"name": volume, "mountPath": format!("/{volume}")});
    json!({
        "metadata": {"name": name, "namespace": "tidb", "uid": format!("uid-{name}"), "creationTimestamp": "2026-11-30T20:00:00Z",
                     "labels": {"app.kubernetes.io/component": "tikv", "app.kubernetes.io/instance": "shop"}},
        "spec": {"nodeSelector": {"topology.kubernetes.io/zone": zone},
                 "volumes": claims.iter().map(volume).collect::<Vec<_>>(),
                 "containers": [{"name": "tikv", "volumeMounts": claims.iter().map(mount).collect::<Vec<_>>()}]},
        "status": {"phase": "Pending"},
    })
}

fn claim(name: &str, class: &str, bound_to: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "tidb"}, "spec": {"storageClassName": class, "volumeName": bound_to}})
}

/// A v2 cluster with two pods that wait, and somebody else's.
fn waiting(class: &str) -> ApiServer {
    let api = server().with(V2, json!({"metadata": {"name": "shop"}, "spec": {}}));
    for suffix in ["a1", "b2"] {
        let (data, raft) = (format!("data-kv-tikv-{suffix}"), format!("raft-kv-tikv-{suffix}"));
        let claims = [("ti-vol-data", data.as_str()), ("ti-vol-raft", raft.as_str())];
        api.put(&at(PODS, &format!("kv-tikv-{suffix}")), pod(&format!("kv-tikv-{suffix}"), &claims, "eu-west-1a"));
        api.put(&at(CLAIMS, &data), claim(&data, class, ""));
        api.put(&at(CLAIMS, &raft), claim(&raft, class, ""));
    }
    let mut other = pod("other-tikv-0", &[("ti-vol-data", "data-other")], "");
    other["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("other");
    api.put(&at(PODS, "other-tikv-0"), other);
    api
}

#[tokio::test(start_paused = true)]
async fn claims_are_those_of_the_clusters_own_tikv() {
    let api = waiting("restored");
    api.change(&at(CLAIMS, "raft-kv-tikv-b2"), |claim| claim["spec"]["volumeName"] = json!("pv-1"));
    let found = placement(&api).claims(&owner()).await.unwrap();
    let told: Vec<[&str; 6]> = found
        .iter()
        .map(|one| [&one.name, &one.pod, &one.volume, &one.class, &one.zone, &one.bound_to].map(String::as_str))
        .collect();
    assert_eq!(
        told,
        [
            ["data-kv-tikv-a1", "kv-tikv-a1", "tikv", "restored", "eu-west-1a", ""],
            ["data-kv-tikv-b2", "kv-tikv-b2", "tikv", "restored", "eu-west-1a", ""],
            ["raft-kv-tikv-a1", "kv-tikv-a1", "tikv-raft", "restored", "eu-west-1a", ""],
            ["raft-kv-tikv-b2", "kv-tikv-b2", "tikv-raft", "restored", "eu-west-1a", "pv-1"],
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_closed_or_it_is_said_why_not() {
    let gate = async |api: &ApiServer| placement(api).gate(&owner()).await.unwrap();
    let v1 = |recovery: bool, annotations: Value| {
        let metadata = json!({"name": "shop", "namespace": "tidb", "annotations": annotations});
        server().with(TC, json!({"metadata": metadata, "spec": {"recoveryMode": recovery, "tikv": {"replicas": 1}}}))
    };
    assert_eq!(gate(&v1(true, json!({}))).await, Ok(Gate::RecoveryMode));
    let opened = gate(&v1(true, json!({"tidb.pingcap.com/tikv-volumes-ready": "tidb/x"}))).await.unwrap_err();
    assert!(opened.contains("\"tidb/x\"") && opened.contains("tidb/shop"), "{opened}");
    assert!(gate(&v1(false, json!({}))).await.unwrap_err().contains("set spec.recoveryMode: true"));

    let class = |provisioner: &str| json!({"metadata": {"name": "restored"}, "provisioner": provisioner});
    assert_eq!(
        gate(&waiting("restored")).await,
        Ok(Gate::StaticClass("restored".to_owned())),
        "a class that is not there"
    );
    let nobody = waiting("restored").with(&at(CLASSES, "restored"), class("kubernetes.io/no-provisioner"));
    assert_eq!(gate(&nobody).await, Ok(Gate::StaticClass("restored".to_owned())));
    let served = waiting("restored").with(&at(CLASSES, "restored"), class("ebs.csi.aws.com"));
    assert!(gate(&served).await.unwrap_err().contains("served by ebs.csi.aws.com, which would make empty volumes"));
    nobody.change(&at(CLAIMS, "data-kv-tikv-a1"), |claim| claim["spec"]["volumeName"] = json!("pvc-1"));
    assert!(gate(&nobody).await.unwrap_err().contains("has a volume already, pvc-1"));
    let two = waiting("restored");
    two.change(&at(CLAIMS, "data-kv-tikv-a1"), |claim| claim["spec"]["storageClassName"] = json!("gp3"));
    assert!(gate(&two).await.unwrap_err().contains("several storage classes, \"gp3\" and \"restored\""));
    let denied = placement(&waiting("restored").failing(&at(CLASSES, "restored"), 403)).gate(&owner()).await;
    assert!(refusal(denied, Reason::AccessDenied).message.contains("get storageclasses.storage.k8s.io"));
}

#[tokio::test(start_paused = true)]
async fn the_gate_is_two_words_on_the_tidbcluster() {
    let spec = json!({"recoveryMode": true, "tikv": {"replicas": 3}});
    let api = server().with(TC, json!({"metadata": {"name": "shop", "annotations": {"keep": "me"}}, "spec": spec}));
    let placement = placement(&api);
    let shown = || {
        let tc = api.get(TC).unwrap();
        (tc["metadata"]["annotations"].clone(), tc["spec"].clone())
    };
    for _ in 0..2 {
        placement.open_gate(&owner(), &Gate::RecoveryMode).await.unwrap();
        let ready = json!({"keep": "me", "tidb.pingcap.com/tikv-volumes-ready": "tidb/uid-1"});
        assert_eq!(shown(), (ready, spec.clone()));
    }
    for _ in 0..2 {
        placement.end_recovery_mode(&owner(), &Gate::RecoveryMode).await.unwrap();
        assert_eq!(shown(), (json!({"keep": "me"}), json!({"recoveryMode": false, "tikv": {"replicas": 3}})));
    }
    let class = Gate::StaticClass("restored".to_owned());
    let before = api.bodies().len();
    placement.open_gate(&owner(), &class).await.unwrap();
    placement.end_recovery_mode(&owner(), &class).await.unwrap();
    assert_eq!(api.bodies().len(), before, "a static class has nothing to be written");
    api.remove(TC);
    refusal(placement.open_gate(&owner(), &Gate::RecoveryMode).await, Reason::TidbClusterNotFound);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_the_restores_and_no_pod_has_mounted_goes() {
    let api = server();
    let placement = placement(&api);
    placement.put(&owner(), &volume("uid-1", "vol-a")).await.unwrap();
    let mut neighbour = volume("uid-2", "vol-b");
    for object in [&mut neighbour.pv, neighbour.pvc.as_mut().unwrap()] {
        object["metadata"]["name"] = json!("neighbours");
    }
    api.put(&at(VOLUMES, "neighbours"), neighbour.pv);
    api.put(&at(CLAIMS, "neighbours"), neighbour.pvc.unwrap());
    let mut pod = pod("shop-tikv-0", &[("tikv", "tikv-shop-tikv-0")], "");
    pod["status"]["phase"] = json!("Running");
    api.put(&at(PODS, "shop-tikv-0"), pod);
    let stays = placement.take_away(&owner()).await.unwrap();
    let expected = ["PersistentVolumeClaim tidb/tikv-shop-tikv-0", &format!("PersistentVolume {NAME}")]
        .map(|what| format!("{what}: pod shop-tikv-0 has mounted it"));
    assert_eq!(stays, expected);
    assert!(api.get(&at(VOLUMES, NAME)).is_some());
    api.change(&at(PODS, "shop-tikv-0"), |pod| pod["status"]["phase"] = json!("Pending"));
    api.calls();
    assert_eq!(placement.take_away(&owner()).await.unwrap(), Vec::<String>::new());
    let deleted: Vec<String> = api.calls().into_iter().filter(|call| call.starts_with("DELETE")).collect();
    assert_eq!(deleted, [format!("DELETE {CLAIMS}/tikv-shop-tikv-0"), format!("DELETE {VOLUMES}/{NAME}")]);
    assert_eq!((api.under(VOLUMES).len(), api.under(CLAIMS).len()), (1, 1), "another restore's");
    assert_eq!(placement.take_away(&owner()).await.unwrap(), Vec::<String>::new());

    // A PersistentVolume of the static class is bound to a claim that somebody else made.
    let mut alone = volume("uid-1", "vol-a").pv;
    alone["spec"]["claimRef"]["name"] = json!("data-kv-tikv-a1");
    alone["status"] = json!({"phase": "Bound"});
    api.put(&at(VOLUMES, NAME), alone);
    let told = placement.take_away(&owner()).await.unwrap();
    assert!(told.len() == 1 && told[0].contains("until claim tidb/data-kv-tikv-a1 goes"), "{told:?}");
    let nobody = Owner { restore: String::new(), ..owner() };
    refusal(placement.take_away(&nobody).await, Reason::SpecInvalid);
    assert!(api.get(&at(VOLUMES, "neighbours")).unwrap()["metadata"]["labels"][LABEL] == "uid-2");
}

#[tokio::test(start_paused = true)]
async fn stores_that_were_restored_are_restarted_once_and_with_grace() {
    let api = server();
    let placement = placement(&api);
    placement.put(&owner(), &volume("uid-1", "vol-a")).await.unwrap();
    api.put(&at(PODS, "shop-tikv-0"), pod("shop-tikv-0", &[("tikv", "tikv-shop-tikv-0")], ""));
    api.put(&at(PODS, "shop-tikv-9"), pod("shop-tikv-9", &[("tikv", "tikv-shop-tikv-9")], ""));
    let made = 1_796_068_800;
    assert_eq!(placement.restart_stores(&owner(), made).await.unwrap(), 0, "it was made in that second: anew");
    assert_eq!(placement.restart_stores(&owner(), made + 1).await.unwrap(), 1);
    let asked = api.bodies().pop().unwrap();
    assert_eq!((&asked["gracePeriodSeconds"], &asked["preconditions"]["uid"]), (&json!(60), &json!("uid-shop-tikv-0")));
    assert!(api.get(&at(PODS, "shop-tikv-9")).is_some(), "none of this restore's claims");
    assert_eq!(placement.restart_stores(&owner(), made + 1).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_missing_right_is_named() {
    let class = Gate::StaticClass("restored".to_owned());
    let missing = async |api: &ApiServer, gate: &Gate| placement(api).may_place(&owner(), gate).await.unwrap();
    assert!(missing(&server(), &class).await.is_empty());
    let poor =
        server().may_not("create", "persistentvolumes").may_not("delete", "pods").may_not("patch", "tidbclusters");
    let poor = poor.may_not("get", "storageclasses");
    let both = ["create persistentvolumes cluster-wide", "delete pods in namespace tidb"];
    assert_eq!(missing(&poor, &class).await, [both[0], "get storageclasses.storage.k8s.io cluster-wide", both[1]]);
    assert_eq!(
        missing(&poor, &Gate::RecoveryMode).await,
        [both[0], both[1], "patch tidbclusters.pingcap.com in namespace tidb"]
    );
}
