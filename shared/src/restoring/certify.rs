//! The judge: does the evidence prove that the cluster is the backup? Asked after each step of what that step has brought, so that a restore
//! goes no further on what does not hold, and of all of it at the end. A restore is never Complete because calls returned.

use super::{
    admitted::Admitted,
    certificate::{PlaneCertificate, RestoreCertificate, Verdict},
    record::Record,
};
use crate::{
    ids::{SnapshotId, StoreId, VolumeId},
    reason::{Reason, Refusal},
    recovery::{Checked, FlashbackTimes, MetStore, Normal, RolledBack},
    tiling::Tiling,
};
use std::collections::BTreeSet;

type Judged = Result<(), Refusal>;

fn broken(rule: &str, text: String) -> Refusal {
    Refusal::new(Reason::RestoreEvidenceBroken, format!("{rule}: {text}"))
}

fn missing(what: &str) -> Refusal {
    Refusal::new(Reason::Internal, format!("{what} is missing"))
}

fn admitted(record: &Record) -> Result<&Admitted, Refusal> {
    record.admitted.as_ref().ok_or_else(|| missing("what planes have found"))
}

/// RE1, RE2: every snapshot of the backup once, a volume and a claim of its own for each.
pub(super) fn placed(record: &Record) -> Judged {
    let (mut volumes, mut claims) = (BTreeSet::<&VolumeId>::new(), BTreeSet::new());
    for (plane, kept) in &record.planes {
        let looked = kept.looked.as_deref().ok_or_else(|| missing("what a plane has found"))?;
        let wanted: BTreeSet<&SnapshotId> = looked.snapshots.iter().collect();
        let there: BTreeSet<&SnapshotId> = kept.placed.iter().map(|one| &one.snapshot).collect();
        if wanted != there || kept.placed.len() != looked.snapshots.len() {
            let text = format!("plane {plane} has placed {} volumes of {} snapshots", kept.placed.len(), wanted.len());
            return Err(broken("RE1", text));
        }
        for one in &kept.placed {
            if !looked.stores.contains(&one.store) {
                return Err(broken(
                    "RE2",
                    format!("plane {plane}: {} is of store {}, which is not its own", one.volume, one.store),
                ));
            }
            if !volumes.insert(&one.volume) || !claims.insert((plane, one.claim.as_str())) {
                return Err(broken(
                    "RE2",
                    format!("plane {plane}: {} or its claim {} is there twice", one.volume, one.claim),
                ));
            }
        }
    }
    Ok(())
}

fn ids(stores: &[MetStore]) -> BTreeSet<StoreId> {
    stores.iter().map(|met| met.store).collect()
}

/// RE3: these stores and no other, in this cluster.
pub(super) fn met(record: &Record) -> Judged {
    let (admitted, met) = (admitted(record)?, record.met.as_ref().ok_or_else(|| missing("who was met"))?);
    if Some(met.cluster) != record.cluster {
        return Err(broken(
            "RE3",
            format!("the stores are in cluster {}, not in the one that was claimed", met.cluster),
        ));
    }
    let wanted: BTreeSet<StoreId> = admitted.stores.iter().copied().collect();
    if ids(&met.stores) != wanted || met.stores.len() != wanted.len() {
        let text = format!("stores {:?} were met, {wanted:?} are the backup's", ids(&met.stores));
        return Err(broken("RE3", text));
    }
    Ok(())
}

fn whole(rule: &str, regions: u64, tiling: Tiling) -> Judged {
    if regions > 0 && tiling.is_whole() {
        return Ok(());
    }
    Err(broken(rule, format!("{regions} regions that are led do not cover the key space exactly once")))
}

/// RE4, before the roll-back.
pub(super) fn led(record: &Record) -> Judged {
    let led = record.led.as_ref().ok_or_else(|| missing("who leads"))?;
    whole("RE4", led.regions, led.tiling)
}

/// RE5: one pair of times, above all that is on the volumes: TiKV dies of a lower one (`facts/restore.md` §3.7).
pub(super) fn timed(record: &Record) -> Judged {
    let admitted = admitted(record)?;
    let times = record.times.ok_or_else(|| missing("the flashback's times"))?;
    let FlashbackTimes { version, start_ts, commit_ts } = times;
    let ordered = version < start_ts && start_ts < commit_ts && admitted.ceiling < commit_ts;
    if version == admitted.commit_ts && ordered && commit_ts.is_real() {
        return Ok(());
    }
    let text = format!(
        "start {start_ts} and commit {commit_ts} do not lie above commitTs {} and ceiling {}",
        admitted.commit_ts, admitted.ceiling
    );
    Err(broken("RE5", text))
}

/// RE5: all of them.
pub(super) fn rolled_back(record: &Record) -> Judged {
    let RolledBack { regions, tiling } = record.rolled_back.as_ref().ok_or_else(|| missing("what was rolled back"))?;
    whole("RE5", *regions, *tiling)
}

/// RE3, RE4, RE6: the same processes from the meeting on, whole, none left in flashback, and the content of both moments the same.
pub(super) fn checked(record: &Record) -> Judged {
    let met = record.met.as_ref().ok_or_else(|| missing("who was met"))?;
    let checked = record.checked.as_ref().ok_or_else(|| missing("what was checked"))?;
    let Checked { regions, tiling, in_flashback, compared, different, .. } = checked;
    whole("RE4", *regions, *tiling)?;
    if ids(&checked.stores) != ids(&met.stores) {
        return Err(broken(
            "RE3",
            format!("stores are {:?} now, {:?} were met", ids(&checked.stores), ids(&met.stores)),
        ));
    }
    if *in_flashback > 0 {
        return Err(broken("RE5", format!("{in_flashback} regions are still in flashback")));
    }
    if *different > 0 {
        return Err(broken(
            "RE6",
            format!("of {compared} regions {different} do not hold now what they held at commitTs"),
        ));
    }
    if record.request.content.one_in() > 0 && *compared == 0 {
        return Err(broken("RE6", "no region was compared".to_owned()));
    }
    Ok(())
}

/// RE6: new processes of the same stores, which lead by themselves.
fn normal(record: &Record) -> Judged {
    let met = record.met.as_ref().ok_or_else(|| missing("who was met"))?;
    let Normal { stores, regions, tiling } = record.normal.as_ref().ok_or_else(|| missing("how stores run now"))?;
    whole("RE6", *regions, *tiling)?;
    for before in &met.stores {
        let now = stores.iter().find(|now| now.store == before.store);
        if now.is_none_or(|now| now.start_timestamp <= before.start_timestamp) {
            return Err(broken("RE6", format!("store {} was not restarted, or is gone", before.store)));
        }
    }
    Ok(())
}

/// All of it.
pub(super) fn certify(record: &Record) -> Result<RestoreCertificate, Refusal> {
    for judge in [placed, met, led, timed, rolled_back, checked, normal] {
        judge(record)?;
    }
    let admitted = admitted(record)?;
    let weaker = weaker(record, admitted);
    let request = &record.request;
    let parts = (record.cluster, record.met.clone(), record.led.clone(), record.times);
    let (Some(cluster), Some(met), Some(led), Some(times)) = parts else { return Err(missing("a part")) };
    let parts = (record.rolled_back.clone(), record.checked.clone(), record.normal.clone());
    let (Some(rolled_back), Some(checked), Some(normal)) = parts else { return Err(missing("a part")) };
    Ok(RestoreCertificate {
        restore: request.restore.clone(),
        name: format!("{}/{}", request.namespace, request.name),
        backup: admitted.backup.clone(),
        attempt: admitted.attempt,
        cluster,
        verdict: if weaker.is_empty() { Verdict::Restored } else { Verdict::Weaker },
        weaker,
        planes: record
            .planes
            .iter()
            .map(|(plane, kept)| (plane.clone(), PlaneCertificate { volumes: kept.placed.clone() }))
            .collect(),
        met,
        led,
        times,
        rolled_back,
        checked,
        normal,
    })
}

fn weaker(record: &Record, admitted: &Admitted) -> Vec<String> {
    let mut weaker = Vec::new();
    if !admitted.proven {
        weaker.push("the backup has no certificate: that its volumes hold one moment is not proved".to_owned());
    }
    if admitted.ceiling_guessed {
        weaker.push("the backup notes no highest timestamp: one was taken that is above all likely ones".to_owned());
    }
    if record.request.content.one_in() == 0 {
        weaker.push("content was not compared".to_owned());
    }
    weaker
}
