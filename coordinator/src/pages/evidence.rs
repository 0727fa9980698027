//! What a certificate proves, as six sentences with their numbers (`PROTOCOL.md`, Evidence).

use crate::human::span;
use shared::{
    barrier::{Certificate, Record},
    calendar::rfc3339,
    evidence::StoreEvidence,
    ids::InstanceId,
    time::Timestamp,
};
use std::collections::BTreeSet;

/// One of E1–E6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its number.
    pub number: &'static str,
    /// Not all of it was proved, by the user's leave.
    pub weaker: bool,
    /// What is needed.
    pub claim: &'static str,
    /// What was found.
    pub found: String,
}

/// All six, in their order; none without a certificate.
pub fn proofs(record: &Record) -> Vec<Proof> {
    let Some(certificate) = &record.certificate else { return Vec::new() };
    let stores: Vec<&StoreEvidence> = certificate.planes.values().flat_map(|plane| &plane.evidence.stores).collect();
    let looser = stores.iter().filter(|store| !store.kind.is_full()).count();
    vec![
        Proof {
            number: "E1",
            weaker: false,
            claim: "every store that can hold data is in exactly one plane, the same process from first to last",
            found: format!(
                "{} of {} stores, in {} planes",
                stores.len(),
                record.cluster_stores.len(),
                certificate.planes.len()
            ),
        },
        Proof {
            number: "E2",
            weaker: looser > 0,
            claim: "no store's hold was ever broken, and all of them outlived the last snapshot call",
            found: holds(&stores, looser),
        },
        Proof {
            number: "E3",
            weaker: looser > 0,
            claim: "the regions that were held cover the key space exactly once, everything in them applied",
            found: format!("{} regions add up to the whole key space, no hole and no overlap", certificate.regions),
        },
        Proof {
            number: "E4",
            weaker: false,
            claim: "every volume that TiKV writes to has exactly one snapshot, taken under the holds",
            found: snapshots(record, certificate),
        },
        Proof {
            number: "E5",
            weaker: false,
            claim: "commitTs is a moment that every region had reached, and garbage collection had not",
            found: moment(certificate),
        },
        Proof {
            number: "E6",
            weaker: false,
            claim: "all of it is one TiDB cluster",
            found: format!("cluster {}, seen by all {} planes", certificate.cluster, certificate.planes.len()),
        },
    ]
}

fn holds(stores: &[&StoreEvidence], looser: usize) -> String {
    let sent: u64 = stores.iter().map(|store| store.renewals_sent).sum();
    let valid: u64 = stores.iter().map(|store| store.renewals_valid).sum();
    let kept = stores.iter().filter(|store| store.confirmed && store.renewals_valid == store.renewals_sent).count();
    let held = format!("{kept} of {} holds unbroken; of {sent} renewals {valid} were answered true", stores.len());
    match looser {
        0 => held,
        _ => format!("{held}; {looser} stores were held in the weaker way, because their TiKV cannot do more"),
    }
}

fn snapshots(record: &Record, certificate: &Certificate) -> String {
    let volumes: usize = record.planes.values().flat_map(|plane| &plane.stores).map(|store| store.volumes.len()).sum();
    let taken = || certificate.planes.values().flat_map(|plane| &plane.evidence.snapshots);
    let calls: BTreeSet<(&InstanceId, Timestamp)> =
        taken().map(|snapshot| (&snapshot.instance, snapshot.start_time)).collect();
    let looked = certificate.planes.values().filter(|plane| !plane.directories.is_empty()).count();
    let directories = match looked {
        0 => "TiKV's directories were not looked at (planes of an earlier version)".to_owned(),
        _ if looked == certificate.planes.len() => "TiKV's own directories lie on them".to_owned(),
        _ => format!("TiKV's own directories lie on them, as far as {looked} planes looked"),
    };
    format!("{} of {volumes} volumes, on {} instances; {directories}", taken().count(), calls.len())
}

fn moment(certificate: &Certificate) -> String {
    let wall = |ms: u64| rfc3339(Timestamp(i64::try_from(ms).unwrap_or(i64::MAX)));
    let commit = certificate.commit_ts;
    let safe_point = certificate.gc_safe_point;
    // A cluster that has never collected anything has none to speak of.
    let ahead = commit.physical_ms().saturating_sub(safe_point.physical_ms());
    let ahead = if safe_point.physical_ms() > 0 { format!("{} ", span(ahead)) } else { String::new() };
    let ceiling = certificate.ts_ceiling.map_or(String::new(), |ts| format!("; no version is above {ts}"));
    format!("commitTs {commit} ({}), {ahead}above the GC safe point {safe_point}{ceiling}", wall(commit.physical_ms()))
}

#[cfg(test)]
mod tests;
