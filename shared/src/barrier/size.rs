//! Will the record of this backup still fit into the ledger when its certificate is in it? Known once every plane has
//! prepared, when nothing is touched yet.

use super::{
    certificate::{Certificate, Verdict},
    certify::certified,
    moments::{Moments, StepMoments},
    phase::Phase,
    record::{Milestone, PlaneRecord, Record},
};
use crate::{
    epoch::Epoch,
    evidence::{AcceptedSnapshot, CoverDigest, Evidence, HoldKind, PdEvidence, PreparedStore, StoreEvidence},
    ids::{PlaneId, SnapshotId},
    pack::pack,
    reason::{Reason, Refusal},
    region_set::RegionSet,
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
    wire::MAX_FRAME_BYTES,
};
use siphasher::sip::SipHasher13;
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    iter,
};

/// Longest text that a ledger has to keep. etcd takes objects of 1.5 MiB, the API server ConfigMaps of 1 MiB; the rest is
/// room for their metadata and for what others put there.
pub const LEDGER_TEXT_MAX: usize = 768 * 1024;
/// Longest certificate that fits into one frame beside a plane's own stores and snapshots.
const CERTIFICATE_MAX: usize = MAX_FRAME_BYTES * 3 / 4;
/// What is left free at Preparing for what only the end knows: a failure, reports of clean-ups.
const MARGIN: usize = 64 * 1024;
/// Below this length, even if nothing in it repeats, a record fits however large its certificate becomes (less than
/// twice the stores that it is about): no need to make one.
const SMALL: usize = 128 * 1024;

/// Refuses a record that could not be saved at its largest.
pub(super) fn check_room(record: &Record) -> Result<(), Refusal> {
    let length = |record: &Record| serde_json::to_vec(record).map(|text| (text.len(), text));
    let failed =
        |error: serde_json::Error| Refusal::new(Reason::Internal, format!("the record has no JSON form: {error}"));
    let (plain, _) = length(record).map_err(failed)?;
    if plain <= SMALL {
        return Ok(());
    }
    let full = largest(record);
    check_certificate(&full)?;
    let (whole, text) = length(&full).map_err(failed)?;
    let packed = pack(&text).len();
    if packed <= LEDGER_TEXT_MAX - MARGIN {
        return Ok(());
    }
    let volumes: usize = record.planes.values().flat_map(|plane| &plane.stores).map(|store| store.volumes.len()).sum();
    Err(Refusal::new(
        Reason::TooLarge,
        format!(
            "{} stores with {volumes} volumes make a record of {whole} bytes, {packed} when packed; {} fit",
            record.cluster_stores.len(),
            LEDGER_TEXT_MAX - MARGIN,
        ),
    ))
}

/// Every plane gets all of it, to put it beside its backupmeta; one of an earlier version as it stands.
fn check_certificate(full: &Record) -> Result<(), Refusal> {
    let (text, stores) = (full.certificate_of_all().unwrap_or_default().len(), full.cluster_stores.len());
    if text > CERTIFICATE_MAX {
        let text = format!("the certificate of {stores} stores has {text} bytes; {CERTIFICATE_MAX} fit into a message");
        return Err(Refusal::new(Reason::TooLarge, text));
    }
    Ok(())
}

/// The same with a certificate of the longest numbers, and identifiers as random as EC2's.
fn largest(record: &Record) -> Record {
    let mut full = record.clone();
    let (Some(cluster), ts) = (record.cluster, Ts(u64::MAX)) else { return full };
    let init = record.request.init_plane();
    let evidence = |plane: &PlaneId, stores: &[PreparedStore]| Evidence {
        epoch: Epoch(u64::MAX),
        cluster,
        stores: stores.iter().map(held).collect(),
        cover: CoverDigest {
            regions: u64::MAX,
            tiling: Tiling::default(),
            least_safe_ts: ts,
            set: RegionSet::default(),
        },
        snapshots: stores.iter().flat_map(taken).collect(),
        commit_ts: ts,
        pd: (init == Some(plane)).then(|| PdEvidence {
            gc_hold: ts,
            gc_safe_point: ts,
            min_resolved_ts: ts,
            ts_ceiling: Some(ts),
            stores: record.cluster_stores.clone(),
        }),
        set_after: None,
    };
    let planes = record.planes.iter();
    let planes = planes.map(|(plane, kept)| (plane.clone(), certified(kept, &evidence(plane, &kept.stores))));
    full.certificate = Some(Certificate {
        verdict: Verdict::Consistent,
        backup: record.request.backup.clone(),
        name: format!("{}/{}", record.request.namespace, record.request.name),
        attempt: record.attempt,
        epoch: Epoch(u64::MAX),
        cluster,
        commit_ts: ts,
        gc_hold: ts,
        gc_safe_point: ts,
        pd_min_resolved_ts: ts,
        ts_ceiling: Some(ts),
        regions: u64::MAX,
        tiling: Tiling::default(),
        planes: planes.collect(),
        made_at: Timestamp(i64::MAX),
    });
    full.moments = longest(&full);
    full.milestone = Milestone::Certified;
    full.epoch = Epoch(u64::MAX);
    full.commit_ts = Some(ts);
    full
}

fn longest(record: &Record) -> Moments {
    const LAST: Millis = Millis(u64::MAX);
    let answered: BTreeMap<PlaneId, Millis> = record.planes.keys().map(|plane| (plane.clone(), LAST)).collect();
    let calls = |kept: &PlaneRecord| kept.stores.iter().map(|store| (store.instance.clone(), LAST)).collect();
    let accepted = record.planes.iter().map(|(plane, kept)| (plane.clone(), calls(kept))).collect();
    let step = Phase::Snapshotting;
    let calls = StepMoments { step, began: LAST, answered: answered.clone(), accepted };
    let others = StepMoments { step, began: LAST, answered, accepted: BTreeMap::new() };
    Moments::of(iter::once(calls).chain(iter::repeat(others)))
}

fn held(store: &PreparedStore) -> StoreEvidence {
    StoreEvidence {
        store: store.store,
        address: store.address.clone(),
        start_timestamp: store.start_timestamp,
        renewals_sent: u64::MAX,
        renewals_valid: u64::MAX,
        confirmed: true,
        kind: HoldKind::Weaker,
    }
}

fn taken(store: &PreparedStore) -> impl Iterator<Item = AcceptedSnapshot> + '_ {
    store.volumes.iter().map(|volume| {
        let mut hasher = SipHasher13::new();
        volume.volume.hash(&mut hasher);
        AcceptedSnapshot {
            volume: volume.volume.clone(),
            snapshot: SnapshotId::new(format!("snap-0{:016x}", hasher.finish())),
            instance: store.instance.clone(),
            start_time: Timestamp(i64::MAX),
        }
    })
}

#[cfg(test)]
mod tests;
