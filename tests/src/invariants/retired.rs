//! Retention deletes what its schedule's policy lets go, judged by what is true: records instead of statuses, the API
//! server's clock instead of the coordinator's.

use super::Books;
use crate::control::Retired;
use coordinator::edge::kube::{
    convert::{self, schedule},
    crd::{VolumeBackup, VolumeBackupSchedule},
};
use serde_json::Value;
use shared::{
    barrier::{Milestone, Record, Verdict},
    cron::Zone,
    request::Limits,
    retention::{self, BackupState, plan},
    time::Timestamp,
};

/// A clock that is wrong by less than this is believed.
const SKEW_MS: i64 = 300_000;

/// Why this deletion was wrong; `None`: the policy lets the backup go.
pub fn wrongly_retired(retired: &Retired, books: &Books) -> Option<String> {
    let uid = &retired.uid;
    let Some(schedule) = retired.schedule.as_ref().and_then(read) else {
        return Some(format!("{uid} was deleted by retention, and there is no schedule"));
    };
    let spec = schedule.object.spec.ok()?;
    let history: Vec<retention::Backup> = retired.backups.iter().filter_map(|object| truly(object, books)).collect();
    let name = history.iter().find(|backup| backup.uid == *uid).map(|backup| backup.name.clone())?;
    let planned = plan(&history, &spec.policy, Timestamp(retired.at.0 + SKEW_MS));
    let row = planned.rows.into_iter().find(|row| row.name == name)?;
    let goes = matches!(row.verdict, retention::Verdict::Delete(_));
    (!goes).then(|| format!("{name} was deleted by retention, and the policy says {}", row.verdict))
}

fn read(object: &Value) -> Option<coordinator::ports::Schedule> {
    let found: VolumeBackupSchedule = serde_json::from_value(object.clone()).ok()?;
    schedule::schedule(&found, &Limits::default(), &Zone::utc())
}

/// The backup as it is: how far it came, its record says.
fn truly(object: &Value, books: &Books) -> Option<retention::Backup> {
    let found: VolumeBackup = serde_json::from_value(object.clone()).ok()?;
    let mut backup = convert::object(&found, &Limits::default())?.scheduled?.backup;
    let invalid = object["status"]["phase"] == "Invalid";
    backup.state = match books.records.get(&backup.uid) {
        Some(record) => state(record),
        None if invalid => BackupState::Failed,
        None => BackupState::Running,
    };
    Some(backup)
}

fn state(record: &Record) -> BackupState {
    let verdict = record.certificate.as_ref().map(|certificate| certificate.verdict);
    match record.milestone {
        Milestone::Complete | Milestone::Cleaning | Milestone::Cleaned if verdict.is_some() => {
            BackupState::Complete { proven: verdict == Some(Verdict::Consistent) }
        }
        Milestone::Failed | Milestone::Cleaning | Milestone::Cleaned => BackupState::Failed,
        _ => BackupState::Running,
    }
}
