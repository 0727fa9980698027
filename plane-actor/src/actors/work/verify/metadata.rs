//! What lies in S3, against what the record has.

use super::super::{meta::snapshots_by_volume, question::Said, storage::locked_by};
use serde_json::Value;
use shared::{
    ids::Attempt,
    wire::{FindingState, Verify},
};
use std::collections::BTreeMap;

/// GiB by volume.
pub(super) type VolumeSizes = BTreeMap<String, u64>;

/// The lock names the attempt: nobody else writes there, and a deletion finds what is ours.
pub(super) fn lock(body: Option<&[u8]>, attempt: &Attempt) -> Said {
    match body.map(|body| locked_by(body, &attempt.backup)) {
        None => Said::broken("backup.lock is gone: nothing keeps another backup away from this prefix"),
        Some(Some(number)) if number == attempt.number => {
            Said::sound(format!("it names this backup and attempt {number}"))
        }
        Some(Some(number)) => Said::broken(format!("it names attempt {number} of this backup, not {}", attempt.number)),
        Some(None) => Said::broken("it names another backup, or is another tool's"),
    }
}

/// Moment and snapshots are the certificate's.
pub(super) fn backupmeta(body: Option<&[u8]>, ask: &Verify) -> Said {
    let Some(body) = body else { return Said::broken("it is gone: no restore can read it") };
    let Some((moment, pairs)) = snapshots_by_volume(body) else {
        return Said::broken("it cannot be read as a backupmeta of volume snapshots");
    };
    let mut amiss = Vec::new();
    if moment != ask.commit_ts.0 {
        amiss.push(format!("its resolved_ts is {moment}, the certificate's commitTs {}", ask.commit_ts));
    }
    let certified: BTreeMap<&str, &str> =
        ask.snapshots.iter().map(|one| (one.volume.as_str(), one.snapshot.as_str())).collect();
    for (volume, snapshot) in &certified {
        match pairs.get(*volume) {
            Some(there) if there == snapshot => {}
            Some(there) => amiss.push(format!("it has {there} for {volume}, the certificate {snapshot}")),
            None => amiss.push(format!("it does not name {volume}")),
        }
    }
    let stranger = pairs.keys().filter(|volume| !certified.contains_key(volume.as_str()));
    amiss.extend(stranger.map(|volume| format!("it names {volume}, which the certificate does not")));
    Said::all(FindingState::Broken, &amiss, || {
        format!("it names the moment {} and the {} snapshots of the certificate", ask.commit_ts, certified.len())
    })
}

/// The certificate's file says what the record says. What is beside it there, clocks and moments, is for people, and a
/// later version may write it otherwise.
pub(super) fn certificate(body: Option<&[u8]>, record: &str) -> Said {
    let Some(body) = body else { return Said::broken("its file is gone; the record still has the certificate") };
    if body == record.as_bytes() {
        return Said::sound("its file says word for word what the record says");
    }
    let of = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok()?.get("certificate").cloned();
    match (of(body), of(record.as_bytes())) {
        (Some(there), Some(kept)) if there == kept => {
            Said::sound("its file has the record's certificate; what is told beside it is written otherwise")
        }
        (Some(there), Some(kept)) => {
            Said::broken(format!("its file says otherwise than the record: {}", differ(&there, &kept)))
        }
        (None, _) => Said::broken("its file cannot be read as a certificate"),
        (_, None) => Said::new(FindingState::Unchecked, "the record's own certificate cannot be read"),
    }
}

/// The fields that differ, by name.
fn differ(there: &Value, kept: &Value) -> String {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (there, kept) = (fields(there), fields(kept));
    let names = there.keys().chain(kept.keys().filter(|name| !there.contains_key(*name)));
    names.filter(|name| there.get(*name) != kept.get(*name)).cloned().collect::<Vec<_>>().join(", ")
}

/// How large Kubernetes was told that the volumes are, from the PVs that backupmeta holds; only those whose size can be
/// read.
pub(super) fn volume_sizes(body: &[u8]) -> Option<VolumeSizes> {
    let read: Value = serde_json::from_slice(body).ok()?;
    let size = |pv: &Value| {
        let handle =
            pv.pointer("/spec/csi/volumeHandle").or_else(|| pv.pointer("/spec/awsElasticBlockStore/volumeID"))?;
        let volume = handle.as_str()?.rsplit('/').next()?.to_owned();
        Some((volume, gib(pv.pointer("/spec/capacity/storage")?.as_str()?)?))
    };
    Some(read.pointer("/kubernetes/pvs")?.as_array()?.iter().filter_map(size).collect())
}

/// Whole GiB, as provisioners write them.
fn gib(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix("Ti") {
        Some(tib) => tib.parse::<u64>().ok()?.checked_mul(1024),
        None => quantity.strip_suffix("Gi")?.parse().ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
