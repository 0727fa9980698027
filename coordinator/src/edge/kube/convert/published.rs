//! What a status says of its own object. There is no status subresource, so a status may have come with a copy: then it
//! speaks of another object, and counts for nothing.

use super::{super::crd::VolumeBackup, units::millis};
use crate::ports::{By, Published, PublishedRow};
use serde_json::Value;
use shared::{
    ids::{BackupUid, PlaneId},
    time::{Millis, Timestamp},
    ts::Ts,
};

/// How far the clock of a manager that wrote no uid may be behind the API server's. Copies are made of backups that have
/// ended, minutes after they began.
const SKEW: Millis = Millis::secs(60);

/// `None`: nothing, or nothing of this object.
pub(super) fn published(backup: &VolumeBackup, uid: &BackupUid) -> Option<Published> {
    let status = backup.status.as_ref()?;
    let text = |name: &str| status.get(name).and_then(Value::as_str);
    let started = text("timeStarted").and_then(moment);
    let by = match text("uid") {
        Some(of) if of == uid.as_str() => {
            By::Us { backup: text("backupUid").map_or_else(|| uid.clone(), BackupUid::new) }
        }
        Some(_) => return None,
        // Written by the old manager, or by a version of ours that wrote no uid.
        None => {
            let created = backup.metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default();
            if started?.0.saturating_add(i64::try_from(SKEW.0).unwrap_or(0)) < created.0 {
                return None;
            }
            let ours = status.get("barrier").is_some_and(Value::is_object);
            if ours { By::Us { backup: uid.clone() } } else { By::OldManager }
        }
    };
    let attempt = status.pointer("/barrier/attempt").and_then(Value::as_u64);
    Some(Published {
        phase: backup.phase().to_owned(),
        by,
        attempt: attempt.and_then(|number| u32::try_from(number).ok()).unwrap_or(1),
        certified: status.get("certificate").is_some_and(Value::is_object),
        started,
        completed: text("timeCompleted").and_then(moment),
        rows: status.get("backups").and_then(Value::as_array).into_iter().flatten().filter_map(row).collect(),
    })
}

fn row(row: &Value) -> Option<PublishedRow> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let plane = text("k8sClusterName");
    (!plane.is_empty()).then(|| PublishedRow {
        plane: PlaneId::from(plane),
        path: text("backupPath").to_owned(),
        commit_ts: text("commitTs").parse().ok().map(Ts),
        complete: text("phase") == "Complete",
        bytes: row.get("backupSize").and_then(Value::as_u64).unwrap_or_default(),
    })
}

fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests;
