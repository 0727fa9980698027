//! Who judges: a certificate is made from planes' evidence and the record alone.

use super::{
    certificate::{Certificate, CertificatePlane, DirectoriesOn, Verdict},
    record::{PlaneRecord, Record},
};
use crate::{
    evidence::{ClusterStore, Evidence, PdEvidence, PreparedStore},
    ids::{ClusterId, PlaneId, SnapshotId, StoreId, VolumeId},
    reason::{Reason, Refusal},
    region_set::RegionSet,
    tiling::Tiling,
    time::Timestamp,
    ts::Ts,
};
use std::collections::{BTreeMap, BTreeSet};

/// Where every TiKV keeps its data, and where its raft log, by whichever engine it has.
const DATA_KEY: &str = "storage.data-dir";
const RAFT_KEYS: [&str; 2] = ["raft-engine.dir", "raftstore.raftdb-path"];

/// Judges evidence. `Err` names everything that is not proved; nothing is assumed.
pub fn certify(
    record: &Record,
    evidence: &BTreeMap<PlaneId, Evidence>,
    made_at: Timestamp,
) -> Result<Certificate, Refusal> {
    let mut broken = Vec::new();
    let (Some(cluster), Some(commit_ts)) = (record.cluster, record.commit_ts) else {
        return Err(Refusal::new(Reason::EvidenceBroken, "the record names no TiDB cluster or no commitTs"));
    };
    for (plane, kept) in &record.planes {
        match evidence.get(plane) {
            None => broken.push(format!("plane {plane} has no evidence")),
            Some(seen) => {
                check_identity(plane, record, cluster, commit_ts, seen, &mut broken);
                check_holds(plane, kept, seen, &mut broken);
                check_snapshots(plane, kept, seen, &mut broken);
                check_directories(plane, kept, &mut broken);
            }
        }
    }
    let pd = evidence.values().find_map(|seen| seen.pd.as_ref());
    check_stores(record, pd.map(|pd| pd.stores.as_slice()), &mut broken);
    let tiling: Tiling = evidence.values().map(|seen| seen.cover.tiling).sum();
    if !tiling.is_whole() {
        broken.push("E3: the regions of the last cover do not tile the key space".to_owned());
    }
    let verdict = check_kinds(record, evidence, &mut broken);
    let least = evidence.values().map(|seen| seen.cover.least_safe_ts).min().unwrap_or(Ts::ZERO);
    if least != commit_ts || !commit_ts.is_real() {
        broken.push(format!("E5: commitTs {commit_ts} is not the least safe_ts {least} of the last cover"));
    }
    match pd {
        None => broken.push("E5: no plane read PD's GC safe point at the confirmation".to_owned()),
        Some(pd) if pd.gc_safe_point >= commit_ts => {
            broken.push(format!("E5: GC safe point {} reached commitTs {commit_ts}", pd.gc_safe_point));
        }
        Some(PdEvidence { ts_ceiling: Some(ceiling), .. }) if *ceiling <= commit_ts => {
            broken.push(format!("E5: ts_ceiling {ceiling} is not above commitTs {commit_ts}"));
        }
        Some(pd) if broken.is_empty() => {
            return Ok(Certificate {
                verdict,
                backup: record.request.backup.clone(),
                name: format!("{}/{}", record.request.namespace, record.request.name),
                attempt: record.attempt,
                epoch: record.epoch,
                cluster,
                commit_ts,
                gc_hold: pd.gc_hold,
                gc_safe_point: pd.gc_safe_point,
                pd_min_resolved_ts: pd.min_resolved_ts,
                ts_ceiling: pd.ts_ceiling,
                regions: evidence.values().map(|seen| seen.cover.regions).sum(),
                tiling,
                planes: record
                    .planes
                    .iter()
                    .filter_map(|(plane, kept)| Some((plane.clone(), certified(kept, evidence.get(plane)?))))
                    .collect(),
                made_at,
            });
        }
        Some(_) => {}
    }
    Err(Refusal::new(Reason::EvidenceBroken, broken.join("; ")))
}

/// E6, and that the evidence speaks of this attempt and this commitTs.
fn check_identity(
    plane: &PlaneId,
    record: &Record,
    cluster: ClusterId,
    commit_ts: Ts,
    seen: &Evidence,
    broken: &mut Vec<String>,
) {
    if seen.cluster != cluster {
        broken.push(format!("E6: plane {plane} saw cluster {} instead of {cluster}", seen.cluster));
    }
    if seen.epoch != record.epoch {
        broken.push(format!("plane {plane} speaks of epoch {} instead of {}", seen.epoch, record.epoch));
    }
    if seen.commit_ts != commit_ts {
        broken.push(format!("E5: plane {plane} snapshotted for {} instead of {commit_ts}", seen.commit_ts));
    }
}

/// E1 (same process as prepared) and E2 (one stream, every renewal answered true, the last after the last snapshot).
fn check_holds(plane: &PlaneId, kept: &PlaneRecord, seen: &Evidence, broken: &mut Vec<String>) {
    let prepared: BTreeMap<StoreId, (&str, i64)> =
        kept.stores.iter().map(|s| (s.store, (s.address.as_str(), s.start_timestamp))).collect();
    let held: BTreeMap<StoreId, (&str, i64)> =
        seen.stores.iter().map(|s| (s.store, (s.address.as_str(), s.start_timestamp))).collect();
    if prepared != held || seen.stores.len() != kept.stores.len() {
        broken.push(format!("E1: stores of plane {plane} at the confirmation are not those that were prepared"));
    }
    for store in &seen.stores {
        if !store.confirmed || store.renewals_valid != store.renewals_sent || store.renewals_sent == 0 {
            broken.push(format!(
                "E2: store {} of plane {plane} answered {} of {} renewals, confirmation {}",
                store.store, store.renewals_valid, store.renewals_sent, store.confirmed
            ));
        }
    }
}

/// Consistent only if every store was held in full. Otherwise the user must have allowed it, and the regions must be the
/// same before and after the snapshots, whoever leads them.
fn check_kinds(record: &Record, evidence: &BTreeMap<PlaneId, Evidence>, broken: &mut Vec<String>) -> Verdict {
    let weaker = |seen: &Evidence| seen.stores.iter().find(|store| !store.kind.is_full()).map(|store| store.store);
    let Some(store) = evidence.values().find_map(weaker) else { return Verdict::Consistent };
    if !record.request.allow_weaker_holds {
        broken.push(format!("E2: store {store} was held in the weaker way, which the spec does not allow"));
    }
    let before: RegionSet = evidence.values().map(|seen| seen.cover.set).sum();
    let after: Option<RegionSet> = evidence.values().map(|seen| seen.set_after).sum();
    if after != Some(before) {
        broken.push(match after {
            Some(_) => "E3: regions changed between the cover and the confirmation".to_owned(),
            None => "E3: not every plane read its regions again at the confirmation".to_owned(),
        });
    }
    Verdict::Weaker
}

/// E4: exactly one snapshot per volume prepared, each id once, those of an instance from one call.
fn check_snapshots(plane: &PlaneId, kept: &PlaneRecord, seen: &Evidence, broken: &mut Vec<String>) {
    let prepared: BTreeSet<&VolumeId> = kept.stores.iter().flat_map(|s| s.volumes.iter().map(|v| &v.volume)).collect();
    let taken: BTreeSet<&VolumeId> = seen.snapshots.iter().map(|s| &s.volume).collect();
    let ids: BTreeSet<&SnapshotId> = seen.snapshots.iter().map(|s| &s.snapshot).collect();
    if prepared != taken || taken.len() != seen.snapshots.len() || ids.len() != seen.snapshots.len() {
        broken.push(format!("E4: snapshots of plane {plane} are not one per volume prepared"));
    }
    let mut calls: BTreeMap<&str, BTreeSet<Timestamp>> = BTreeMap::new();
    for snapshot in &seen.snapshots {
        calls.entry(snapshot.instance.as_str()).or_default().insert(snapshot.start_time);
    }
    for (instance, starts) in calls {
        if starts.len() > 1 {
            broken.push(format!("E4: snapshots of instance {instance} came from more than one call"));
        }
    }
    let at: BTreeMap<&VolumeId, &str> =
        kept.stores.iter().flat_map(|s| s.volumes.iter().map(move |v| (&v.volume, s.instance.as_str()))).collect();
    for snapshot in &seen.snapshots {
        if at.get(&snapshot.volume).is_some_and(|instance| *instance != snapshot.instance.as_str()) {
            broken.push(format!("E4: volume {} was snapshotted on another instance", snapshot.volume));
        }
    }
}

/// E4: where a plane looked, data and raft log of every store lie on volumes of its own, each of which has its snapshot.
fn check_directories(plane: &PlaneId, kept: &PlaneRecord, broken: &mut Vec<String>) {
    let looked = |store: &PreparedStore| store.volumes.iter().any(|volume| !volume.directories.is_empty());
    if !kept.stores.iter().any(looked) {
        return;
    }
    for store in &kept.stores {
        let keeps = |key: &str| store.volumes.iter().any(|volume| volume.directories.contains_key(key));
        if !keeps(DATA_KEY) || !RAFT_KEYS.iter().any(|key| keeps(key)) {
            let store = store.store;
            broken
                .push(format!("E4: store {store} of plane {plane} has its data or its raft log on no volume prepared"));
        }
    }
}

/// E1: at the confirmation the cluster has exactly the stores that were prepared, same processes, each in one plane.
fn check_stores(record: &Record, at_confirmation: Option<&[ClusterStore]>, broken: &mut Vec<String>) {
    let key = |s: &ClusterStore| (s.store, s.address.clone(), s.start_timestamp);
    let before: BTreeSet<_> = record.cluster_stores.iter().map(key).collect();
    let after: BTreeSet<_> = at_confirmation.unwrap_or_default().iter().map(key).collect();
    if before != after {
        broken.push("E1: the cluster's stores changed between Prepared and the confirmation".to_owned());
    }
    let mut members: BTreeMap<StoreId, u32> = BTreeMap::new();
    for store in record.planes.values().flat_map(|plane| &plane.stores) {
        *members.entry(store.store).or_default() += 1;
    }
    for store in &record.cluster_stores {
        let count = members.get(&store.store).copied().unwrap_or(0);
        if count != 1 {
            broken.push(format!("E1: store {} is in {count} members", store.store));
        }
    }
}

/// A plane's part.
pub(super) fn certified(kept: &PlaneRecord, evidence: &Evidence) -> CertificatePlane {
    let mut alike: BTreeMap<&BTreeMap<String, String>, Vec<VolumeId>> = BTreeMap::new();
    for volume in kept.stores.iter().flat_map(|store| &store.volumes).filter(|on| !on.directories.is_empty()) {
        alike.entry(&volume.directories).or_default().push(volume.volume.clone());
    }
    let rows = alike.into_iter();
    let directories = rows.map(|(on, volumes)| DirectoriesOn { directories: on.clone(), volumes }).collect();
    CertificatePlane { evidence: evidence.clone(), directories }
}
