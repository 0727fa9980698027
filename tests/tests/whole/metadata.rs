//! What lies in S3 beside each other: clustermeta, backupmeta, the lock, our certificate.

use plane_actor::edge::kube::testing::restore_accepts;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::{
    models::ec2::Snapshot,
    processes::{environment::BUCKET, rig::Rig},
};

/// Every plane's files say what restore needs, with the moment of the whole cluster.
pub(crate) async fn check(rig: &Rig, status: &Value, commit_ts: &str, snapshots: &BTreeMap<String, Snapshot>) {
    let objects = rig.cloud().await.unwrap().objects;
    let mut named = BTreeSet::new();
    let mut certificates = Vec::new();
    for row in status["backups"].as_array().expect("backups") {
        let path = row["backupPath"].as_str().expect("a path");
        let prefix = path.strip_prefix(&format!("s3://{BUCKET}/")).expect("the bucket");
        let keys = objects.list(&format!("{prefix}/"), 100).await.unwrap();
        for file in ["backup.lock", "backupmeta", "clustermeta", "isochron-certificate.json"] {
            assert!(keys.contains(&format!("{prefix}/{file}")), "{file} is missing: {keys:?}");
        }
        let read = async |file: &str| -> Value {
            let body = objects.get(&format!("{prefix}/{file}")).await.unwrap().expect("listed");
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{prefix}/{file}: {error}"))
        };
        let meta = read("backupmeta").await;
        assert_eq!(restore_accepts(&meta), Ok(()), "{prefix}: {meta:#}");
        let resolved = &meta["cluster_info"]["resolved_ts"];
        assert_eq!(resolved.to_string(), commit_ts, "the cluster's moment in {prefix}, not the plane's own");
        assert_eq!(meta["cluster_info"]["cluster_version"], "7.5.1");
        let stores = rig.sites[0].stores().count();
        assert_eq!(meta["tikv"]["replicas"], stores, "TiKV of the whole cluster: {prefix}");
        for volume in volumes(&meta) {
            let id = volume["snapshot_id"].as_str().expect("an id");
            let snapshot = snapshots.get(id).unwrap_or_else(|| panic!("{id} does not exist"));
            assert_eq!(volume["volume_id"], snapshot.volume.as_str());
            assert!(named.insert(id.to_owned()), "{id} is named twice");
        }
        let before = read("clustermeta").await;
        assert_eq!(before["tikv"]["stores"].as_array().map(Vec::len), meta["tikv"]["stores"].as_array().map(Vec::len));
        assert!(volumes(&before).all(|volume| volume["mount_path"].as_str().is_some_and(|path| path.starts_with('/'))));
        certificates.push(read("isochron-certificate.json").await);
    }
    let all: BTreeSet<String> = snapshots.keys().cloned().collect();
    assert_eq!(named, all, "every snapshot is named by a backupmeta");
    let first = &certificates[0];
    assert!(certificates.iter().all(|other| other == first), "one certificate for all planes");
    assert_eq!(first["certificate"]["verdict"], "Consistent", "{first:#}");
    assert_eq!(first["certificate"]["commit_ts"].to_string().trim_matches('"'), commit_ts, "{first:#}");
}

fn volumes(meta: &Value) -> impl Iterator<Item = &Value> {
    let stores = meta["tikv"]["stores"].as_array().into_iter().flatten();
    stores.flat_map(|store| store["volumes"].as_array().into_iter().flatten())
}
