//! `clustermeta` and `backupmeta`, in the order and with the names that today's restore reads
//! (`facts/tidb-operator.md` §5.2, §5.3; `facts/topology.md` §2). Object parts pass through as generic JSON.

use super::discovery::Discovery;
use crate::unread::unread;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    ids::{BackupUid, SnapshotId, VolumeId},
    reason::{Reason, Refusal},
    wire::Complete,
};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct ClusterMeta {
    tikv: TikvMeta<ClusterVolume>,
    pd: Replicas,
    tidb: Replicas,
    kubernetes: Kubernetes,
    options: Value,
}

#[derive(Serialize)]
struct BackupMeta {
    cluster_info: ClusterInfo,
    tikv: TikvMeta<BackupVolume>,
    tidb: Replicas,
    pd: Replicas,
    kubernetes: Kubernetes,
    options: Value,
    region: String,
}

#[derive(Serialize)]
struct ClusterInfo {
    cluster_version: String,
    full_backup_type: &'static str,
    /// Above 2^53: never through a float.
    resolved_ts: u64,
    replicas: Value,
}

#[derive(Serialize, Deserialize)]
struct TikvMeta<V> {
    /// Of the whole TiDB cluster.
    replicas: u32,
    stores: Vec<StoreMeta<V>>,
}

#[derive(Serialize, Deserialize)]
struct StoreMeta<V> {
    store_id: u64,
    volumes: Vec<V>,
}

#[derive(Serialize, Deserialize)]
struct ClusterVolume {
    volume_id: String,
    #[serde(rename = "type")]
    kind: String,
    mount_path: String,
    snapshot_id: String,
    restore_volume_id: String,
}

#[derive(Serialize)]
struct BackupVolume {
    volume_id: String,
    #[serde(rename = "type")]
    kind: String,
    snapshot_id: String,
    restore_volume_id: String,
    volume_az: String,
    status: String,
}

#[derive(Serialize, Deserialize)]
struct Replicas {
    replicas: u32,
}

#[derive(Serialize, Deserialize)]
struct Kubernetes {
    pvs: Vec<Value>,
    pvcs: Vec<Value>,
    crd_tidb_cluster: Value,
    options: Value,
}

/// What stands in S3 before the first hold. Only objects of volumes that are used (#5459).
pub(super) fn clustermeta(discovery: &Discovery) -> Result<Vec<u8>, Refusal> {
    let stores = discovery
        .stores
        .iter()
        .map(|store| StoreMeta {
            store_id: store.store.0,
            volumes: store
                .volumes
                .iter()
                .map(|volume| ClusterVolume {
                    volume_id: volume.volume.to_string(),
                    kind: volume.kind.clone(),
                    mount_path: volume.mount_path.clone(),
                    snapshot_id: String::new(),
                    restore_volume_id: String::new(),
                })
                .collect(),
        })
        .collect();
    let volumes = || discovery.local.iter().flat_map(|store| store.volumes.iter());
    let meta = ClusterMeta {
        tikv: TikvMeta { replicas: count(discovery.cluster_stores.len()), stores },
        pd: Replicas { replicas: discovery.located.pd_replicas },
        tidb: Replicas { replicas: discovery.located.tidb_replicas },
        kubernetes: Kubernetes {
            pvs: volumes().map(|volume| volume.pv.clone()).collect(),
            pvcs: volumes().map(|volume| volume.pvc.clone()).collect(),
            crd_tidb_cluster: counted(discovery.located.tidb_cluster.clone(), discovery.stores.len()),
            options: Value::Null,
        },
        options: Value::Null,
    };
    write("clustermeta", &meta)
}

/// Restore compares the stores with `spec.tikv.replicas`, so it says how many there are, whatever the TidbCluster wants:
/// failover adds stores, a scale-in takes days, a Tombstone still has its pod, a second group counts elsewhere.
fn counted(mut tidb_cluster: Value, stores: usize) -> Value {
    if let Some(tikv) = tidb_cluster.pointer_mut("/spec/tikv").and_then(Value::as_object_mut) {
        tikv.insert("replicas".to_owned(), Value::from(stores));
    }
    tidb_cluster
}

/// What restore reads. `clustermeta` as it stands in S3: a plane that restarted has nothing else.
pub(crate) fn backupmeta(complete: &Complete, clustermeta: &[u8]) -> Result<Vec<u8>, Refusal> {
    let read: ClusterMeta = serde_json::from_slice(clustermeta).map_err(|error| {
        let text = format!("clustermeta cannot be read, was it changed? {}", unread(&error));
        Refusal::new(Reason::StorageUnavailable, text)
    })?;
    let taken: BTreeMap<&VolumeId, &SnapshotId> =
        complete.snapshots.iter().map(|taken| (&taken.volume, &taken.snapshot)).collect();
    let mut stores = Vec::new();
    for store in &complete.stores {
        let mut volumes = Vec::new();
        for volume in &store.volumes {
            let snapshot = taken.get(&volume.volume).ok_or_else(|| {
                Refusal::new(Reason::EvidenceBroken, format!("volume {} has no certified snapshot", volume.volume))
            })?;
            volumes.push(BackupVolume {
                volume_id: volume.volume.to_string(),
                kind: volume.kind.clone(),
                snapshot_id: snapshot.to_string(),
                restore_volume_id: String::new(),
                volume_az: volume.zone.clone(),
                status: String::new(),
            });
        }
        stores.push(StoreMeta { store_id: store.store.0, volumes });
    }
    let meta = BackupMeta {
        cluster_info: ClusterInfo {
            cluster_version: complete.cluster_version.trim_start_matches('v').to_owned(),
            full_backup_type: "aws-ebs",
            resolved_ts: complete.commit_ts.0,
            replicas: Value::Null,
        },
        tikv: TikvMeta { replicas: complete.cluster_stores, stores },
        tidb: read.tidb,
        pd: read.pd,
        kubernetes: read.kubernetes,
        options: Value::Null,
        region: String::new(),
    };
    write("backupmeta", &meta)
}

/// Moment and snapshot ids of a backupmeta of volume snapshots; `None`: it is none.
pub(crate) fn old_backup(backupmeta: &[u8]) -> Option<(u64, Vec<SnapshotId>)> {
    let read = serde_json::from_slice(backupmeta).ok()?;
    Some((moment(&read)?, snapshot_ids(&read)?))
}

/// Moment, and snapshot by volume, of a backupmeta of volume snapshots; `None`: it is none, or a volume has no snapshot.
pub(crate) fn snapshots_by_volume(backupmeta: &[u8]) -> Option<(u64, BTreeMap<String, String>)> {
    let read = serde_json::from_slice(backupmeta).ok()?;
    let text = |volume: &Value, field: &str| volume.get(field).and_then(Value::as_str).map(str::to_owned);
    let pairs =
        volumes(&read)?.into_iter().map(|volume| Some((text(volume, "volume_id")?, text(volume, "snapshot_id")?)));
    Some((moment(&read)?, pairs.collect::<Option<_>>()?))
}

/// Snapshot ids that a backupmeta names; `None`: it is no backupmeta.
pub(crate) fn snapshots_of(backupmeta: &[u8]) -> Option<Vec<SnapshotId>> {
    snapshot_ids(&serde_json::from_slice(backupmeta).ok()?)
}

fn snapshot_ids(backupmeta: &Value) -> Option<Vec<SnapshotId>> {
    let ids = volumes(backupmeta)?.into_iter().filter_map(|volume| volume.get("snapshot_id").and_then(Value::as_str));
    // An empty id would not be deleted but refused (`facts/tidb-operator.md` §3.4).
    Some(ids.filter(|id| !id.is_empty()).map(SnapshotId::new).collect())
}

/// `resolved_ts`, where it is one of volume snapshots.
fn moment(backupmeta: &Value) -> Option<u64> {
    let info = backupmeta.get("cluster_info")?;
    (info.get("full_backup_type")? == "aws-ebs").then_some(())?;
    info.get("resolved_ts")?.as_u64()
}

/// Of all stores; `None`: it is no backupmeta.
fn volumes(backupmeta: &Value) -> Option<Vec<&Value>> {
    let mut all = Vec::new();
    for store in backupmeta.pointer("/tikv/stores")?.as_array()? {
        all.extend(store.get("volumes")?.as_array()?);
    }
    Some(all)
}

/// Backup and attempt that a certificate beside a backupmeta names; `None`: it is no certificate of ours.
pub(crate) fn certified_attempt(certificate: &[u8]) -> Option<(BackupUid, u32)> {
    let read: Value = serde_json::from_slice(certificate).ok()?;
    let backup = read.pointer("/certificate/backup")?.as_str()?;
    let number = read.pointer("/certificate/attempt")?.as_u64()?;
    Some((BackupUid::new(backup), u32::try_from(number).ok()?))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn write<T: Serialize>(name: &str, meta: &T) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(meta)
        .map_err(|error| Refusal::new(Reason::Internal, format!("{name} cannot be written: {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::fixtures::spec, *};
    use shared::{
        evidence::{AcceptedSnapshot, PreparedStore},
        ids::{ClusterId, InstanceId},
        request::Credentials,
        time::Timestamp,
        ts::Ts,
    };

    /// `facts/tidb-operator.md` §5.2, shortened.
    const CLUSTERMETA: &str = r#"{"tikv":{"replicas":2,"stores":[{"store_id":4,"volumes":[
      {"volume_id":"vol-0a11","type":"storage.data-dir","mount_path":"/var/lib/tikv","snapshot_id":"","restore_volume_id":""}]}]},
      "pd":{"replicas":1},"tidb":{"replicas":1},"kubernetes":{"pvcs":[{"metadata":{"name":"c"}}],"pvs":[{"metadata":{"name":"v"}}],
      "crd_tidb_cluster":{"metadata":{"name":"shop-az1"}},"options":null},"options":null}"#;

    fn complete() -> Complete {
        let snapshot = AcceptedSnapshot {
            volume: VolumeId::new("vol-0a11"),
            snapshot: SnapshotId::new("snap-0c11"),
            instance: InstanceId::new("i-1"),
            start_time: Timestamp(1),
        };
        Complete {
            spec: spec(Credentials::Default),
            cluster: ClusterId(1),
            cluster_version: "7.5.1".into(),
            commit_ts: Ts(449_462_718_912_512_001),
            cluster_stores: 2,
            stores: vec![PreparedStore::example(4, &["vol-0a11"])],
            snapshots: vec![snapshot],
            certificate: "{}".into(),
            packed: None,
        }
    }

    #[test]
    fn backupmeta_is_what_restore_reads_byte_for_byte() {
        let text = String::from_utf8(backupmeta(&complete(), CLUSTERMETA.as_bytes()).unwrap()).unwrap();
        let expected = concat!(
            r#"{"cluster_info":{"cluster_version":"7.5.1","full_backup_type":"aws-ebs","#,
            r#""resolved_ts":449462718912512001,"replicas":null},"#,
            r#""tikv":{"replicas":2,"stores":[{"store_id":4,"volumes":[{"volume_id":"vol-0a11","#,
            r#""type":"storage.data-dir","snapshot_id":"snap-0c11","restore_volume_id":"","#,
            r#""volume_az":"eu-west-1a","status":""}]}]},"tidb":{"replicas":1},"pd":{"replicas":1},"#,
            r#""kubernetes":{"pvs":[{"metadata":{"name":"v"}}],"pvcs":[{"metadata":{"name":"c"}}],"#,
            r#""crd_tidb_cluster":{"metadata":{"name":"shop-az1"}},"options":null},"options":null,"region":""}"#,
        );
        assert_eq!(text, expected);
        assert_eq!(snapshots_of(text.as_bytes()), Some(vec![SnapshotId::new("snap-0c11")]));
        let of = (449_462_718_912_512_001, vec![SnapshotId::new("snap-0c11")]);
        assert_eq!(old_backup(text.as_bytes()), Some(of));
        assert_eq!(old_backup(text.replace("aws-ebs", "log").as_bytes()), None);
    }

    #[test]
    fn a_tidb_cluster_counts_the_stores_that_are_really_there() {
        let wanted =
            serde_json::json!({"metadata": {"name": "shop", "uid": "6f1c"}, "spec": {"tikv": {"replicas": 3}}});
        for stores in [2, 3, 4] {
            let written = counted(wanted.clone(), stores);
            assert_eq!(written["spec"]["tikv"]["replicas"], stores, "failover, or a store that is leaving");
            assert_eq!(written["metadata"], wanted["metadata"]);
        }
        let silent = serde_json::json!({"spec": {"tikv": {}}});
        assert_eq!(counted(silent, 3)["spec"]["tikv"]["replicas"], 3);
        assert_eq!(counted(Value::Null, 3), Value::Null);
    }

    #[test]
    fn a_volume_without_a_certified_snapshot_is_never_written() {
        let mut order = complete();
        order.snapshots.clear();
        assert_eq!(backupmeta(&order, CLUSTERMETA.as_bytes()).unwrap_err().reason, Reason::EvidenceBroken);
        assert_eq!(backupmeta(&complete(), b"{}").unwrap_err().reason, Reason::StorageUnavailable);
    }
}
