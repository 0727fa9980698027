//! What others wrote and this program reads, each as one function of bytes: for tests that feed them anything
//! (`tests/src/decoders`). Nothing here is in a program that ships.

use crate::{
    actors::work::{meta, storage},
    edge::{
        kube::{v1, v2},
        tikv::settings,
    },
    ports::TikvSettings,
};
use serde_json::Value;
use shared::{
    ids::{Attempt, BackupUid, SnapshotId},
    reason::Refusal,
    wire::Complete,
};

/// Every snapshot that a `backupmeta` names, and of a backup of volumes also its moment; `None`: it is none.
#[must_use]
pub fn backupmeta(bytes: &[u8]) -> Option<(Option<u64>, Vec<SnapshotId>)> {
    let moment = meta::old_backup(bytes).map(|(moment, _)| moment);
    Some((moment, meta::snapshots_of(bytes)?))
}

/// The `backupmeta` of a backup whose `clustermeta` stands in S3.
///
/// # Errors
/// It is none, or the order names a volume without its snapshot.
pub fn clustermeta(bytes: &[u8], order: &Complete) -> Result<Vec<u8>, Refusal> {
    meta::backupmeta(order, bytes)
}

/// Whose certificate lies beside a `backupmeta`.
#[must_use]
pub fn certified(bytes: &[u8]) -> Option<(BackupUid, u32)> {
    meta::certified_attempt(bytes)
}

/// Which attempt of this backup a lock object names.
#[must_use]
pub fn lock(bytes: &[u8], backup: &BackupUid) -> Option<u32> {
    storage::locked_by(bytes, backup)
}

/// As a lock is written.
#[must_use]
pub fn lock_of(attempt: &Attempt) -> String {
    storage::lock_text(attempt, "ledger")
}

/// TiKV's `/config`, and what `/engine_type` says where there is one.
///
/// # Errors
/// What is wrong with it.
pub fn tikv_config(config: &[u8], engine_type: Option<&str>) -> Result<TikvSettings, String> {
    Ok(settings::parse(config)?(engine_type))
}

/// What the object of a TiDB cluster says, as operator v1 and as v2 have it: PD's addresses of the first, and how many
/// TiKV groups the second has.
#[must_use]
pub fn tidb_cluster(object: &Value) -> (Vec<String>, usize) {
    let first = v1::read("shop", "basic", object.clone());
    let second = v2::read("basic", object, std::slice::from_ref(object));
    (first.urls, second.groups.len())
}
