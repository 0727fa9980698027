//! A description becomes what restore accepts; the file outlives what a process does to it.

use super::{FileLedger, LocalTopology};
use crate::{
    edge::kube::tests::{backupmeta, refusal, restore_accepts, store},
    ports::{MountedOn, PlaneLedger, PortError, Topology},
};
use shared::{
    epoch::Epoch,
    ids::{StoreId, VolumeId},
    member::MemberLedger,
    reason::Reason,
};
use std::fs;

const FILE: &str = r#"
clusters:
- namespace: tidb
  name: shop
  pd: ["https://10.0.0.1:2379"]
  tls: {ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}
  pdReplicas: 3
  stores:
  - address: 10.0.0.11:20160
    host: tikv-1
    volumes:
    - {volumeId: vol-0a12, mountPath: /data/raft, kind: raft-engine.dir, size: 50Gi}
    - {volumeId: vol-0a11, mountPath: /data/tikv, kind: storage.data-dir}
  - address: 10.0.0.12:20160
    volumes:
    - {volumeId: vol-0b11, mountPath: /data/tikv, kind: storage.data-dir}
    - {volumeId: vol-0b12, mountPath: /data/raft}
    otherMounts: [/data/tikv/scratch]
secrets:
- {namespace: tidb, name: s3-secret, keys: {access_key: access_key}}
"#;

fn folder() -> (tempfile::TempDir, LocalTopology) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    for file in ["tls/ca.crt", "tls/tls.crt", "tls/tls.key", "access_key"] {
        fs::write(folder.path().join(file), format!("{file}\n")).unwrap();
    }
    fs::write(folder.path().join("topology.yaml"), FILE).unwrap();
    let topology = LocalTopology::new(folder.path().join("topology.yaml"));
    (folder, topology)
}

#[tokio::test]
async fn a_description_becomes_what_restore_accepts() {
    let (_folder, topology) = folder();
    topology.check().await.unwrap();
    let located = topology.locate("tidb", "shop").await.unwrap();
    assert_eq!(located.endpoint.urls, ["https://10.0.0.1:2379"]);
    assert_eq!(located.endpoint.tls.as_ref().unwrap().key, b"tls/tls.key\n");
    let known = [store(9, "10.0.0.11:20160"), store(8, "10.0.0.12:20160"), store(7, "10.9.9.9:20160")];
    let stores = topology.local_stores("tidb", "shop", &known).await.unwrap();
    assert_eq!(stores.iter().map(|store| store.store).collect::<Vec<_>>(), [StoreId(8), StoreId(9)]);
    assert_eq!((stores[0].pod.as_str(), stores[1].pod.as_str()), ("10.0.0.12:20160", "tikv-1"));
    assert_eq!(stores[1].volumes[0].volume, VolumeId::new("vol-0a12"));
    assert_eq!(stores[1].volumes[0].pvc["metadata"]["name"], "tikv-volume1-shop-tikv-1");
    let mounts: Vec<_> = stores[0].mounts.iter().map(|mount| (mount.path.as_str(), mount.on.clone())).collect();
    let on = |volume: &str| MountedOn::Volume(VolumeId::new(volume));
    assert_eq!(mounts[..2], [("/data/tikv", on("vol-0b11")), ("/data/raft", on("vol-0b12"))]);
    assert!(matches!(&mounts[2], ("/data/tikv/scratch", MountedOn::Other(_))), "{mounts:?}");
    assert_eq!(restore_accepts(&backupmeta(&located, &stores, 3)), Ok(()));
    assert_eq!(topology.secret("tidb", "s3-secret").await.unwrap()["access_key"], b"access_key");
    refusal(topology.service_account("tidb", "sa").await, Reason::CredentialsUnreadable);
}

#[tokio::test]
async fn a_bad_description_says_where() {
    let rows = [
        ("volumeId: vol-0a12", "volumeId: 0a12", "10.0.0.11:20160"),
        ("kind: raft-engine.dir", "kind: storage.data-dir", "10.0.0.11:20160"),
        ("mountPath: /data/raft}", "mountpath: /data/raft}", "mountpath"),
        ("  name: shop", "  name: shop2", "tidb/shop"),
        ("pd: [\"https://10.0.0.1:2379\"]", "pd: []", "names no pd"),
    ];
    for (from, to, part) in rows {
        let (folder, topology) = folder();
        fs::write(folder.path().join("topology.yaml"), FILE.replace(from, to)).unwrap();
        let refused = refusal(topology.locate("tidb", "shop").await, Reason::TidbClusterNotFound);
        assert!(refused.message.contains(part) && refused.message.contains("topology.yaml"), "{refused}");
    }
    let (folder, topology) = folder();
    fs::remove_file(folder.path().join("tls/tls.key")).unwrap();
    let refused = refusal(topology.locate("tidb", "shop").await, Reason::CredentialsUnreadable);
    assert!(refused.message.contains("tls.key"), "{refused}");
}

fn at(epoch: u64) -> MemberLedger {
    MemberLedger { epochs: [(7, Epoch(epoch))].into(), ..MemberLedger::default() }
}

#[tokio::test]
async fn a_ledger_is_kept_whole_and_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/ledger.json");
    let ledger = FileLedger::open(&file).unwrap();
    assert_eq!(ledger.load().await.unwrap(), MemberLedger::default());
    ledger.save(&at(1)).await.unwrap();
    ledger.save(&at(2)).await.unwrap();
    assert!(refusal(FileLedger::open(&file), Reason::LedgerLost).message.contains("another plane actor"));
    drop(ledger);
    // A draft that a crash left behind is not the ledger.
    fs::write(folder.path().join("deep/ledger.json.new"), "{").unwrap();
    let ledger = FileLedger::open(&file).unwrap();
    assert_eq!(ledger.load().await.unwrap(), at(2));
    ledger.save(&at(3)).await.unwrap();
    assert_eq!(ledger.load().await.unwrap(), at(3));
    // Never taken for empty: that would forget the epochs.
    fs::write(&file, "").unwrap();
    refusal(ledger.load().await, Reason::LedgerLost);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(ledger.save(&at(4)).await, Err(PortError::Unavailable(_))));
}
