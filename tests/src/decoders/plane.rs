//! What a plane reads in S3, of TiKV and of its API server.

use super::laws;
use plane_actor::decoders as read;
use serde_json::Value;
use shared::{
    evidence::{AcceptedSnapshot, PreparedStore},
    ids::{Attempt, BackupUid, ClusterId, InstanceId, SnapshotId, VolumeId},
    request::MemberSpec,
    time::Timestamp,
    ts::Ts,
    wire::Complete,
};

/// Above 2^53: a float would not keep it.
const COMMIT: Ts = Ts(449_462_718_912_512_001);

/// A `backupmeta`, of whatever tool.
pub(super) fn backupmeta(bytes: &[u8]) -> bool {
    let Some((_, snapshots)) = read::backupmeta(bytes) else { return false };
    assert!(snapshots.iter().all(|id| !id.as_str().is_empty()), "an empty id would be refused by EC2");
    true
}

/// A `clustermeta` becomes a `backupmeta` that names our snapshots and moment and keeps what is not ours.
pub(super) fn clustermeta(bytes: &[u8]) -> bool {
    let written = match read::clustermeta(bytes, &complete()) {
        Ok(written) => written,
        Err(refusal) => {
            laws::refused(&refusal.message);
            return false;
        }
    };
    assert_eq!(read::backupmeta(&written), Some((Some(COMMIT.0), vec![SnapshotId::new("snap-1")])));
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_else(|error| panic!("no JSON: {error}"));
    let (before, after) = (json(bytes), json(&written));
    for kept in ["/kubernetes/pvs", "/kubernetes/pvcs", "/kubernetes/crd_tidb_cluster"] {
        assert_eq!(before.pointer(kept), after.pointer(kept), "{kept}");
    }
    true
}

/// Whose the objects below a prefix are: what a lock says is what was written.
pub(super) fn lock(bytes: &[u8]) -> bool {
    let backup = BackupUid::new("8d6c5a52-0f4e-4d0c-8b3e-0b8f5a3a5b10");
    let Some(number) = read::lock(bytes, &backup) else { return false };
    let written = read::lock_of(&Attempt { backup: backup.clone(), number });
    assert_eq!(read::lock(written.as_bytes(), &backup), Some(number));
    assert_eq!(read::lock(written.as_bytes(), &BackupUid::new("another")), None, "it is not everybody's");
    true
}

/// A certificate beside it, read without knowing its format.
pub(super) fn certified(bytes: &[u8]) -> bool {
    read::certified(bytes).is_some()
}

/// TiKV's `/config`.
pub(super) fn tikv_config(bytes: &[u8]) -> bool {
    for engine in [None, Some("raft-kv"), Some("partitioned-raft-kv")] {
        match read::tikv_config(bytes, engine) {
            Ok(settings) => {
                let places = &settings.directories;
                assert!(places.values().all(|path| !path.is_empty()), "a directory without a path: {places:?}");
                assert!(places.is_empty() || places.contains_key("storage.data-dir"), "{places:?}");
                assert!(engine != Some("partitioned-raft-kv") || !settings.raft_kv, "that engine cannot be held");
            }
            Err(error) => {
                laws::refused(&error);
                return false;
            }
        }
    }
    true
}

/// The object of a TiDB cluster, of either operator.
pub(super) fn tidb_cluster(bytes: &[u8]) -> bool {
    let Ok(object) = serde_json::from_slice::<Value>(bytes) else { return false };
    let (urls, groups) = read::tidb_cluster(&object);
    assert!(urls.len() <= 32, "{} addresses of PD would all be dialled", urls.len());
    assert!(groups <= 1, "one object is one group");
    object.is_object()
}

fn complete() -> Complete {
    let taken = AcceptedSnapshot {
        volume: VolumeId::new("vol-1"),
        snapshot: SnapshotId::new("snap-1"),
        instance: InstanceId::new("i-1"),
        start_time: Timestamp(1),
    };
    Complete {
        spec: MemberSpec::example(),
        cluster: ClusterId(1),
        cluster_version: "7.5.1".into(),
        commit_ts: COMMIT,
        cluster_stores: 2,
        stores: vec![PreparedStore::example(4, &["vol-1"])],
        snapshots: vec![taken],
        certificate: "{}".into(),
        packed: None,
    }
}
