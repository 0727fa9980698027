//! What all planes together found: one backup, all of it, and a place for it.

use super::{admitted::Admitted, record::Record};
use crate::{
    epoch::Epoch,
    ids::{ClusterId, PlaneId, SnapshotId, StoreId},
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
    wire::{Finding, FindingState, LookedAt},
};
use std::collections::BTreeMap;

/// Findings that a refusal names.
const NAMED: usize = 3;
/// commitTs may be so much older than what is in the snapshots where no ceiling was noted: its age is bounded by ten minutes and so are the
/// clocks of a barrier (`facts/restore.md` §6.6).
const MARGIN: Millis = Millis::secs(3600);

/// # Errors
/// What is amiss: of planes' findings the worst, or what does not fit between them.
pub(super) fn admit(record: &Record) -> Result<Admitted, Refusal> {
    let mut looked: Vec<(&PlaneId, &LookedAt)> = Vec::new();
    for (plane, kept) in &record.planes {
        match kept.looked.as_deref() {
            Some(found) => looked.push((plane, found)),
            None => return Err(Refusal::new(Reason::Internal, format!("plane {plane} was not heard"))),
        }
    }
    let Some((_, first)) = looked.first().copied() else {
        return Err(Refusal::new(Reason::ClustersEmpty, "it has no plane"));
    };
    for (plane, found) in &looked {
        sound(plane, &found.findings)?;
        same_backup(looked[0].0, first, plane, found)?;
        if !found.proven && !record.request.unproven {
            let text = format!(
                "plane {plane}: there is no certificate that says Consistent beside backupmeta; spec.allowUnproven believes backupmeta alone"
            );
            return Err(Refusal::new(Reason::BackupUnproven, text));
        }
    }
    let stores = stores(&looked, first.cluster_stores)?;
    unique(&looked)?;
    let cluster = target(&looked, record.request.makes_a_cluster())?;
    let (ceiling, ceiling_guessed) = ceiling(&looked);
    Ok(Admitted {
        cluster,
        floor: looked.iter().map(|(_, found)| found.highest_epoch).max().unwrap_or(Epoch::NONE),
        backup: first.backup.clone(),
        attempt: first.attempt,
        commit_ts: first.commit_ts,
        ceiling,
        ceiling_guessed,
        proven: looked.iter().all(|(_, found)| found.proven),
        stores,
        volumes: looked.iter().map(|(_, found)| u32::try_from(found.snapshots.len()).unwrap_or(u32::MAX)).sum(),
        gib: looked.iter().map(|(_, found)| found.gib).sum(),
    })
}

fn sound(plane: &PlaneId, findings: &[Finding]) -> Result<(), Refusal> {
    let broken: Vec<String> = findings
        .iter()
        .filter(|one| one.state == FindingState::Broken)
        .take(NAMED)
        .map(|one| format!("{}: {}", one.subject, one.text))
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(Reason::NotRestorable, format!("plane {plane}, {}", broken.join("; "))))
}

fn same_backup(one: &PlaneId, first: &LookedAt, plane: &PlaneId, found: &LookedAt) -> Result<(), Refusal> {
    let of =
        |found: &LookedAt| format!("backup {}, attempt {}, commitTs {}", found.backup, found.attempt, found.commit_ts);
    if !found.commit_ts.is_real() {
        return Err(Refusal::new(
            Reason::NotRestorable,
            format!("plane {plane}: commitTs {} is no moment", found.commit_ts),
        ));
    }
    if of(first) != of(found) || first.cluster_stores != found.cluster_stores {
        let text = format!("the folder of plane {one} holds {}, that of plane {plane} {}", of(first), of(found));
        return Err(Refusal::new(Reason::BackupMismatch, text));
    }
    if first.certificate != found.certificate {
        let text = format!("planes {one} and {plane} hold different certificates of {}", of(first));
        return Err(Refusal::new(Reason::BackupMismatch, text));
    }
    Ok(())
}

/// Each store in one plane, and all of them somewhere (`facts/restore.md` §0, 11: a plane's backupmeta counts the whole cluster).
fn stores(looked: &[(&PlaneId, &LookedAt)], expected: u32) -> Result<Vec<StoreId>, Refusal> {
    let mut of: BTreeMap<StoreId, &PlaneId> = BTreeMap::new();
    for (plane, found) in looked {
        for store in &found.stores {
            if let Some(other) = of.insert(*store, plane) {
                let text = format!("store {store} is in the folders of planes {other} and {plane}");
                return Err(Refusal::new(Reason::BackupMismatch, text));
            }
        }
    }
    if of.is_empty() || u32::try_from(of.len()) != Ok(expected) {
        let text = format!(
            "the backup has {expected} stores, the folders of spec.clusters hold {}: is a plane left out?",
            of.len()
        );
        return Err(Refusal::new(Reason::BackupMismatch, text));
    }
    Ok(of.into_keys().collect())
}

fn unique(looked: &[(&PlaneId, &LookedAt)]) -> Result<(), Refusal> {
    let mut of: BTreeMap<&SnapshotId, &PlaneId> = BTreeMap::new();
    for (plane, found) in looked {
        for snapshot in &found.snapshots {
            if let Some(other) = of.insert(snapshot, plane) {
                let text = format!("snapshot {snapshot} is named by planes {other} and {plane}");
                return Err(Refusal::new(Reason::BackupMismatch, text));
            }
        }
    }
    if of.is_empty() {
        return Err(Refusal::new(Reason::NotRestorable, "the backup has no snapshot"));
    }
    Ok(())
}

fn target(looked: &[(&PlaneId, &LookedAt)], wanted: bool) -> Result<Option<ClusterId>, Refusal> {
    if !wanted {
        return Ok(None);
    }
    let mut cluster: Option<(ClusterId, &PlaneId)> = None;
    for (plane, found) in looked {
        let Some(own) = found.target else {
            return Err(Refusal::new(
                Reason::TidbClusterNotFound,
                format!("plane {plane} has not found the target's PD"),
            ));
        };
        match cluster {
            Some((other, first)) if other != own => {
                let text =
                    format!("PD's cluster id of the target is {other} in plane {first} and {own} in plane {plane}");
                return Err(Refusal::new(Reason::ClusterMismatch, text));
            }
            _ => cluster = Some((own, plane)),
        }
    }
    Ok(cluster.map(|(cluster, _)| cluster))
}

/// At least commitTs, whatever a certificate says.
fn ceiling(looked: &[(&PlaneId, &LookedAt)]) -> (Ts, bool) {
    let commit_ts = looked.iter().map(|(_, found)| found.commit_ts).max().unwrap_or(Ts::ZERO);
    let noted = looked.iter().filter_map(|(_, found)| found.ceiling).max();
    match noted {
        Some(noted) => (noted.max(commit_ts), false),
        None => {
            let later = Ts::compose(commit_ts.physical_ms().saturating_add(MARGIN.0), 0);
            let now = looked.iter().filter_map(|(_, found)| found.now).max().unwrap_or(Ts::ZERO);
            (later.max(now), true)
        }
    }
}
