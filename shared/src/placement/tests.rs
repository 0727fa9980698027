//! Against objects as v1.6 and the EBS CSI driver leave them.

use super::*;
use crate::ids::{PlaneId, VolumeId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const UID: &str = "0b2e8f4a-6f0e-4f2b-9a7e-0d8f3a1c5b6d";

/// What v1's backupmeta holds of the claim `tikv-raft` of pod 3 of `shop-az1`; the CSI driver is `driver`'s.
fn of_backup_of(source: Value, keys: &[&str]) -> (Value, Value) {
    let labels = json!({
        "app.kubernetes.io/name": "tidb-cluster", "app.kubernetes.io/managed-by": "tidb-operator",
        "app.kubernetes.io/component": "tikv", "app.kubernetes.io/instance": "shop-az1",
        "tidb.pingcap.com/store-id": "4", "tidb.pingcap.com/cluster-id": "7391", "tidb.pingcap.com/pod-name": "shop-az1-tikv-3",
    });
    let mut pv_labels = labels.clone();
    pv_labels["app.kubernetes.io/namespace"] = json!("tidb");
    let expression = |key: &&str| json!({"key": key, "operator": "In", "values": ["eu-west-1a"]});
    let terms: Vec<Value> = keys.iter().map(expression).collect();
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "500Gi"}, "storageClassName": "gp3",
        "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem",
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "tidb",
                     "name": "tikv-raft-shop-az1-tikv-3", "uid": "old-uid", "resourceVersion": "17"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": terms}]}},
    });
    spec.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    let pv = json!({
        "metadata": {"name": "pvc-1234", "uid": "u", "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:00Z",
                     "finalizers": ["kubernetes.io/pv-protection"], "labels": pv_labels,
                     "annotations": {"temporary/volume-id": "vol-0old", "pv.kubernetes.io/bound-by-controller": "yes",
                                     "pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"}},
        "spec": spec, "status": {"phase": "Bound"},
    });
    let pvc = json!({
        "metadata": {"name": "tikv-raft-shop-az1-tikv-3", "namespace": "tidb", "uid": "old-uid", "labels": labels,
                     "annotations": {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
                                     "volume.kubernetes.io/selected-node": "ip-10-0-0-7", "tidb.pingcap.com/pod-name": "shop-az1-tikv-3",
                                     "keep": "me"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Gi"}}, "storageClassName": "gp3",
                 "volumeName": "pvc-1234", "dataSource": {"kind": "VolumeSnapshot", "name": "s"}},
        "status": {"phase": "Bound"},
    });
    (pv, pvc)
}

fn csi() -> Value {
    json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0old", "fsType": "ext4"}})
}

const BOTH: [&str; 2] = ["topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone"];

fn rewriting(plane: &PlaneId) -> Rewriting<'_> {
    Rewriting { restore: UID, plane, namespace: "drill", cluster: "shop-new", reclaim: None }
}

fn bound(source: Value, keys: &[&str]) -> Bound {
    let (pv, pvc) = of_backup_of(source, keys);
    let (plane, volume) = (PlaneId::new("az1"), VolumeId::new("vol-0new"));
    let goes = Goes { volume: &volume, zone: "eu-west-1c", pod: 1, name: "tikv-raft" };
    rewriting(&plane).bound(&pv, &pvc, &goes).unwrap()
}

#[test]
fn a_volume_and_its_claim_are_rewritten_whole() {
    let labels = json!({
        "app.kubernetes.io/name": "tidb-cluster", "app.kubernetes.io/managed-by": "tidb-operator",
        "app.kubernetes.io/component": "tikv", "app.kubernetes.io/instance": "shop-new",
        "tidb.pingcap.com/store-id": "4", "tidb.pingcap.com/pod-name": "shop-new-tikv-1",
        "isochron.pingcap.com/restore": UID,
    });
    let mut pv_labels = labels.clone();
    pv_labels["app.kubernetes.io/namespace"] = json!("drill");
    let zone = |key: &str| json!({"key": key, "operator": "In", "values": ["eu-west-1c"]});
    let made = bound(csi(), &BOTH);
    let expected = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "isochron-0b2e8f4a-az1-1-tikv-raft", "labels": pv_labels,
                     "annotations": {"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com",
                                     "tikv-volume-restore/volume-id": "vol-0new"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "500Gi"}, "storageClassName": "gp3",
            "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "drill",
                         "name": "tikv-raft-shop-new-tikv-1"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone(BOTH[0]), zone(BOTH[1])]}]}},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0new", "fsType": "ext4"},
        },
    });
    assert_eq!(made.pv, expected);
    let expected = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "tikv-raft-shop-new-tikv-1", "namespace": "drill", "labels": labels,
                     "annotations": {"tidb.pingcap.com/pod-name": "shop-new-tikv-1", "keep": "me"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Gi"}},
                 "storageClassName": "gp3", "volumeName": "isochron-0b2e8f4a-az1-1-tikv-raft"},
    });
    assert_eq!(made.pvc, expected);
}

#[test]
fn every_key_of_a_zone_and_every_form_of_a_handle() {
    let zones = |made: &Bound| {
        let terms = &made.pv["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        let all = terms.as_array().unwrap().iter().flat_map(|term| term["matchExpressions"].as_array().unwrap());
        all.map(|one| (one["key"].as_str().unwrap().to_owned(), one["values"].clone())).collect::<Vec<_>>()
    };
    let there = json!(["eu-west-1c"]);
    for keys in [&BOTH[..1], &BOTH[1..], &BOTH[..], &["failure-domain.beta.kubernetes.io/zone"]] {
        let expected: Vec<_> = keys.iter().map(|key| ((*key).to_owned(), there.clone())).collect();
        assert_eq!(zones(&bound(csi(), keys)), expected);
    }
    let region = ("topology.kubernetes.io/region".to_owned(), json!(["eu-west-1a"]));
    let other = zones(&bound(csi(), &["topology.kubernetes.io/region"]));
    let demanded = ("topology.kubernetes.io/zone".to_owned(), there);
    assert_eq!(other, [region, demanded.clone()], "one is demanded where none was, and the rest stays");
    let (mut bare, pvc) = of_backup_of(csi(), &BOTH);
    bare["spec"].as_object_mut().unwrap().remove("nodeAffinity");
    let (plane, volume) = (PlaneId::new("az1"), VolumeId::new("vol-0new"));
    let goes = Goes { volume: &volume, zone: "eu-west-1c", pod: 0, name: "tikv" };
    assert_eq!(zones(&rewriting(&plane).bound(&bare, &pvc, &goes).unwrap()), [demanded]);
    let table = [
        (
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "aws://eu-west-1a/vol-0old"}}),
            "/spec/csi/volumeHandle",
            "aws://eu-west-1c/vol-0new",
        ),
        (
            json!({"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-0old", "fsType": "ext4"}}),
            "/spec/awsElasticBlockStore/volumeID",
            "aws://eu-west-1c/vol-0new",
        ),
        (json!({"awsElasticBlockStore": {"volumeID": "vol-0old"}}), "/spec/awsElasticBlockStore/volumeID", "vol-0new"),
    ];
    for (source, path, expected) in table {
        assert_eq!(bound(source, &BOTH).pv.pointer(path), Some(&json!(expected)));
    }
    let (mut pv, pvc) = of_backup_of(csi(), &BOTH);
    pv["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!("eu-west-1a");
    let (plane, volume) = (PlaneId::new("az1"), VolumeId::new("vol-0new"));
    let goes = Goes { volume: &volume, zone: "eu-west-1c", pod: 0, name: "tikv" };
    let made = Rewriting { reclaim: Some("Delete"), ..rewriting(&plane) }.bound(&pv, &pvc, &goes).unwrap();
    assert_eq!(made.pv["metadata"]["labels"]["topology.kubernetes.io/zone"], "eu-west-1c");
    assert_eq!(made.pv["spec"]["persistentVolumeReclaimPolicy"], "Delete");
}

#[test]
fn a_claim_of_a_class_that_nothing_serves_gets_its_volume_alone() {
    let (pv, _) = of_backup_of(csi(), &BOTH);
    let (plane, volume) = (PlaneId::new("az1"), VolumeId::new("vol-0new"));
    let goes = Goes { volume: &volume, zone: "eu-west-1c", pod: 0, name: "tikv" };
    let made = rewriting(&plane).for_claim(&pv, &goes, "data-kv-tikv-a1b2c3", "restored").unwrap();
    assert_eq!(made["metadata"]["name"], "isochron-0b2e8f4a-az1-0-tikv");
    assert_eq!(made["spec"]["storageClassName"], "restored");
    let expected = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "drill", "name": "data-kv-tikv-a1b2c3"});
    assert_eq!(made["spec"]["claimRef"], expected);
}

#[test]
fn what_is_no_volume_of_ebs_is_told() {
    let plane = PlaneId::new("az1");
    let (volume, of) = (VolumeId::new("vol-0new"), rewriting(&plane));
    let goes = Goes { volume: &volume, zone: "z", pod: 0, name: "tikv" };
    let (pv, pvc) = of_backup_of(json!({"hostPath": {"path": "/x"}}), &BOTH);
    assert!(of.bound(&pv, &pvc, &goes).unwrap_err().contains("PV pvc-1234 of the backup is neither csi nor"));
    for (pv, pvc) in [(json!(null), pvc.clone()), (json!({}), pvc), (pv, json!({"metadata": 1}))] {
        assert!(of.bound(&pv, &pvc, &goes).is_err(), "{pv} {pvc}");
    }
}

#[test]
fn objects_are_found_by_the_volume_that_a_pv_names() {
    let (pv, pvc) = of_backup_of(csi(), &BOTH);
    let meta = |pvs: Value, pvcs: Value| json!({"kubernetes": {"pvs": pvs, "pvcs": pvcs}});
    let whole = meta(json!([{"metadata": {"name": "of-pd"}}, pv]), json!([{}, pvc]));
    let kept = of_backup(&whole).unwrap();
    assert_eq!(kept, BTreeMap::from([(VolumeId::new("vol-0old"), Kept { pv: &pv, pvc: &pvc })]));
    assert!(of_backup(&meta(json!([pv, pv]), json!([pvc]))).unwrap_err().contains("two PVs of vol-0old"));
    let mut elsewhere = pvc.clone();
    elsewhere["metadata"]["namespace"] = json!("other");
    let missing = meta(json!([pv]), json!([elsewhere]));
    assert!(of_backup(&missing).unwrap_err().contains("not the claim that it names"));
    assert_eq!(of_backup(&json!(null)), Ok(BTreeMap::new()));
}

#[test]
fn names_follow_from_the_restore_and_fit() {
    let of = |restore: &str, plane: &str, pod, volume: &str| pv_name(restore, &PlaneId::new(plane), pod, volume);
    assert_eq!(of(UID, "prod-az1", 12, "tikv"), "isochron-0b2e8f4a-prod-az1-12-tikv");
    let long = "a-plane-of-a-very-long-name-in-eu-west-1-for-all-of-the-shops";
    let names = [
        of(UID, long, 1, "tikv"),
        of(UID, long, 2, "tikv"),
        of(UID, long, 1, "tikv-raft"),
        of(UID, &format!("{long}-2"), 1, "tikv"),
        of("0b2e8f4a-ffff", long, 1, "tikv"),
        of(UID, "arn:aws:eks:eu-west-1:1:cluster/Prod", 1, "tikv"),
        of(UID, "az1", 1, "Tikv_Raft"),
        of(UID, "az1", 1, "tikv-"),
        of("é", "az1", 1, "tikv"),
    ];
    for (at, name) in names.iter().enumerate() {
        let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        assert!(name.len() <= 63 && name.chars().all(sign) && !name.ends_with('-'), "{name}");
        assert!(!names[..at].contains(name), "{name}");
    }
}

fn claim(pod: &str, volume: &str, zone: &str) -> WaitingClaim {
    WaitingClaim {
        name: format!("{volume}-of-{pod}"),
        pod: pod.to_owned(),
        volume: volume.to_owned(),
        class: "restored".to_owned(),
        zone: zone.to_owned(),
        bound_to: String::new(),
    }
}

fn group(pod: u32, zone: &str, volumes: &[&str]) -> Group {
    let volumes = volumes.iter().map(|volume| ((*volume).to_owned(), format!("pv-{pod}-{volume}"))).collect();
    Group { pod, zone: zone.to_owned(), volumes }
}

/// `pv → pod of its claim`.
fn pods(groups: &[Group], claims: &[WaitingClaim]) -> Result<BTreeMap<String, String>, String> {
    let assigned = assign(groups, claims)?;
    for (pv, claim) in &assigned {
        assert!(pv.ends_with(&format!("-{}", claim.volume)), "{pv} {claim:?}");
    }
    Ok(assigned.into_iter().map(|(pv, claim)| (pv, claim.pod)).collect())
}

#[test]
fn all_of_a_store_goes_to_one_pod_in_its_zone() {
    let both = ["tikv", "tikv-raft"];
    let groups = [group(0, "a", &both), group(1, "b", &both), group(2, "a", &both)];
    let mut claims: Vec<WaitingClaim> = [("kv-x", ""), ("kv-m", "a"), ("kv-a", "b")]
        .iter()
        .flat_map(|(pod, zone)| both.map(|volume| claim(pod, volume, zone)))
        .collect();
    let expected = [("0", "kv-m"), ("1", "kv-a"), ("2", "kv-x")];
    let expected: BTreeMap<String, String> = expected
        .iter()
        .flat_map(|(pod, to)| both.map(|volume| (format!("pv-{pod}-{volume}"), (*to).to_owned())))
        .collect();
    assert_eq!(pods(&groups, &claims).unwrap(), expected);
    claims.reverse();
    let turned: Vec<Group> = groups.iter().rev().cloned().collect();
    assert_eq!(pods(&turned, &claims).unwrap(), expected, "whatever order they come in");
    // One volume was written before the process died: the rest follows it.
    let first = claims.iter_mut().find(|claim| claim.pod == "kv-x" && claim.volume == "tikv").unwrap();
    first.bound_to = "pv-0-tikv".to_owned();
    let resumed = pods(&groups, &claims).unwrap();
    assert_eq!((resumed["pv-0-tikv-raft"].as_str(), resumed["pv-2-tikv"].as_str()), ("kv-x", "kv-m"));
}

#[test]
fn what_does_not_fit_is_told() {
    let one = [group(0, "a", &["tikv"])];
    let said = |groups: &[Group], claims: &[WaitingClaim]| pods(groups, claims).unwrap_err();
    assert!(said(&one, &[]).contains("no TiKV pod waits for the volumes of pod 0 of the backup (tikv in a)"));
    assert!(said(&[], &[claim("kv-1", "tikv", "")]).contains("no volumes for the TiKV pods kv-1 (tikv)"));
    let elsewhere = said(&one, &[claim("kv-1", "tikv", "b")]);
    assert!(elsewhere.contains("(tikv in a) fit none of the TiKV pods that wait: kv-1 (tikv in b)"), "{elsewhere}");
    let more = said(&one, &[claim("kv-1", "tikv", ""), claim("kv-1", "tikv-raft", "")]);
    assert!(more.contains("kv-1 (tikv, tikv-raft)"), "{more}");
    let foreign = WaitingClaim { bound_to: "pvc-1".to_owned(), ..claim("kv-1", "tikv", "") };
    assert!(said(&one, &[foreign]).contains("bound to pvc-1, which is none of this restore"));
    let twins = said(&one, &[claim("", "tikv", ""), WaitingClaim { name: "b".to_owned(), ..claim("", "tikv", "") }]);
    assert!(twins.contains("are both tikv of one pod"), "{twins}");
    let mixed = [
        WaitingClaim { bound_to: "pv-0-tikv".to_owned(), ..claim("kv-1", "tikv", "") },
        WaitingClaim { bound_to: "pv-1-tikv-raft".to_owned(), ..claim("kv-1", "tikv-raft", "") },
    ];
    let both = ["tikv", "tikv-raft"];
    assert!(said(&[group(0, "a", &both), group(1, "a", &both)], &mixed).contains("different stores"));
}
