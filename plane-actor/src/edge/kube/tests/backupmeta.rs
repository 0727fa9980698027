//! A backupmeta with made-up snapshots, for tests of what goes into one.

use crate::ports::{LocalStore, LocalVolume, Located};
use serde_json::{Value, json};

/// A backupmeta of this plane (`facts/tidb-operator.md` §5.3) with made-up snapshots.
pub(crate) fn backupmeta(located: &Located, stores: &[LocalStore], replicas: usize) -> Value {
    let volume = |volume: &LocalVolume| {
        json!({"volume_id": volume.volume, "type": volume.kind, "snapshot_id": format!("snap-{}", volume.volume),
               "restore_volume_id": "", "volume_az": "eu-west-1a", "status": ""})
    };
    let all = || stores.iter().flat_map(|store| &store.volumes);
    json!({
        "cluster_info": {"cluster_version": "7.5.1", "full_backup_type": "aws-ebs",
                         "resolved_ts": 449_462_718_912_512_000_u64, "replicas": null},
        "tikv": {"replicas": replicas, "stores": stores.iter().map(|store| json!({
            "store_id": store.store, "volumes": store.volumes.iter().map(volume).collect::<Vec<_>>()})).collect::<Vec<_>>()},
        "tidb": {"replicas": located.tidb_replicas}, "pd": {"replicas": located.pd_replicas},
        "kubernetes": {"pvcs": all().map(|volume| &volume.pvc).collect::<Vec<_>>(),
                       "pvs": all().map(|volume| &volume.pv).collect::<Vec<_>>(),
                       "crd_tidb_cluster": located.tidb_cluster, "options": null},
        "options": null, "region": "",
    })
}
