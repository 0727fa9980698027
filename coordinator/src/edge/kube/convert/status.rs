//! A barrier as users read it (`facts/tidb-operator.md` §1.3, §1.4, user page): derived from the record alone, so that
//! the same record always gives the same status and an unchanged one is never written.

use super::{
    super::crd::{BackupStatus, BarrierStatus, CertificateStatus, ConditionStatus, VerifiedStatus},
    go_duration,
    succeeded::{SUCCEEDED, of_phase, succeeded},
    words::{advice, int, proof, rfc3339, short},
};
use crate::{human::human_size, ports::Status};
use serde_json::{Map, Value};
use shared::{
    barrier::{Certificate, Milestone, Record, Verdict, View},
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
    verify::Verification,
};

/// Conditions that only the coordinator writes; what stands there under another name is left alone.
const OUR_CONDITIONS: [&str; 12] = [
    "Invalid",
    "Running",
    "OptionsIgnored",
    "SnapshotsCreated",
    "Weaker",
    "Complete",
    "Failed",
    "CleanFailed",
    "Cleaned",
    "Blocked",
    "Scheduled",
    SUCCEEDED,
];

/// Fields of status that only the coordinator writes.
const OUR_FIELDS: [&str; 17] = [
    "uid",
    "backupUid",
    "backups",
    "timeStarted",
    "timeCompleted",
    "timeTaken",
    "backupSize",
    "backupSizeReadable",
    "incrementalBackupSize",
    "incrementalBackupSizeReadable",
    "commitTs",
    "phase",
    "conditions",
    "barrier",
    "certificate",
    "verified",
    "alarms",
];

/// The status that an object with the status `old` is to have. `now` is used for a condition that no record dates.
pub fn merge_status(old: Option<&Value>, status: &Status, now: Timestamp) -> Value {
    let old = old.and_then(Value::as_object);
    let kept = kept_conditions(old);
    let mut merged = old.cloned().unwrap_or_default();
    let fresh = match status {
        Status::Without(phase, refusal) => return without_record(old, phase, refusal, now),
        Status::Barrier(view) => derive(view, kept, all_conditions(old), now),
    };
    for field in OUR_FIELDS {
        merged.remove(field);
    }
    if let Value::Object(fresh) = json(&fresh) {
        merged.extend(fresh);
    }
    Value::Object(merged)
}

/// Everything else, such as the dates of an earlier life, stays as it is.
fn without_record(old: Option<&Map<String, Value>>, phase: &str, refusal: &Refusal, now: Timestamp) -> Value {
    let mut merged = old.cloned().unwrap_or_default();
    let condition = kept_condition(old, phase, refusal, now);
    merged.insert("phase".to_owned(), Value::from(phase));
    let told = of_phase(phase, refusal, &all_conditions(old), now);
    let others = all_conditions(old).into_iter().filter(|kept| kept.kind != phase);
    let replaced = told.is_some();
    let others = others.filter(move |kept| !replaced || kept.kind != SUCCEEDED);
    merged.insert("conditions".to_owned(), json(&others.chain([condition]).chain(told).collect::<Vec<_>>()));
    for moment in ["timeStarted", "timeCompleted"] {
        merged.entry(moment).or_insert(Value::Null);
    }
    Value::Object(merged)
}

fn derive(view: &View, foreign: Vec<ConditionStatus>, old: Vec<ConditionStatus>, now: Timestamp) -> BackupStatus {
    let record = &view.record;
    let taken = record.times.started.zip(record.times.completed).map(|(from, to)| to.since(from));
    // A commitTs is shown once it is proved: nobody shall restore from a moment that is not.
    let commit_ts = record.certificate.as_ref().map(|certificate| certificate.commit_ts.to_string());
    let (full, added) = (record.full_size(), record.added());
    BackupStatus {
        uid: Some(record.key().to_string()),
        backup_uid: record.adopted.as_ref().map(|_| record.request.backup.to_string()),
        backups: Some(rows::of(view)),
        time_started: record.times.started.map(rfc3339),
        time_completed: record.times.completed.map(rfc3339),
        time_taken: taken.map(go_duration),
        backup_size: full.bytes().map(int),
        backup_size_readable: human_size(full),
        incremental_backup_size: added.bytes().map(int),
        incremental_backup_size_readable: human_size(added),
        commit_ts,
        phase: Some(phase(record).to_owned()),
        conditions: Some(
            foreign.into_iter().chain(conditions(view, now)).chain([succeeded(view, &old, now)]).collect(),
        ),
        barrier: Some(barrier(view)),
        certificate: record.certificate.as_ref().map(certificate),
        verified: record.verified.as_ref().map(verified),
        alarms: (!view.alarms.is_empty())
            .then(|| view.alarms.iter().map(|alarm| short(&format!("{alarm:?}"))).collect()),
    }
}

fn verified(found: &Verification) -> VerifiedStatus {
    VerifiedStatus {
        level: found.level.as_str().to_owned(),
        at: Some(rfc3339(found.at)),
        message: (!found.message.is_empty()).then(|| short(&found.message)),
    }
}

/// The phase: type of the condition that describes the record best.
fn phase(record: &Record) -> &'static str {
    let ended = || match (&record.failure, record.times.completed) {
        (Some(_), _) => "Failed",
        (None, Some(_)) => "Complete",
        (None, None) => running(record),
    };
    match record.milestone {
        Milestone::Preparing
        | Milestone::Barrier
        | Milestone::Snapshotting
        | Milestone::Certified
        | Milestone::Aborting => running(record),
        Milestone::Complete => "Complete",
        Milestone::Failed if record.deleting && record.clean_failure.is_some() => "CleanFailed",
        Milestone::Failed => "Failed",
        Milestone::Cleaning if record.clean_failure.is_some() => "CleanFailed",
        // As today: deletion alone is no phase.
        Milestone::Cleaning => ended(),
        Milestone::Cleaned => "Cleaned",
    }
}

fn running(record: &Record) -> &'static str {
    if record.certificate.is_some() && record.times.snapshots_created.is_some() {
        "SnapshotsCreated"
    } else {
        "Running"
    }
}

/// One condition per type, in the order in which they came about, each dated by the record: a date never moves.
fn conditions(view: &View, now: Timestamp) -> Vec<ConditionStatus> {
    let record = &view.record;
    let times = &record.times;
    let phase = phase(record);
    let mut all = Vec::new();
    let mut add = |kind: &str, at: Option<Timestamp>, reason: Option<String>, message: Option<String>| {
        if at.is_some() || kind == phase {
            all.push(ConditionStatus {
                kind: kind.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(rfc3339(at.unwrap_or(now))),
                reason,
                message,
            });
        }
    };
    add("Running", times.started, Some("Started".to_owned()), None);
    let ignored = &record.request.ignored;
    if !ignored.is_empty() {
        let message = format!("of spec.template, these have no effect here: {}", ignored.join("; "));
        add("OptionsIgnored", times.started, Some("NotUnderstood".to_owned()), Some(short(&message)));
    }
    if let Some(certificate) = &record.certificate {
        add("SnapshotsCreated", times.snapshots_created, Some("BarrierReleased".to_owned()), None);
        if certificate.verdict == Verdict::Weaker {
            let (reason, message) = ("StoresNotHeldInFull".to_owned(), certificate.verdict.meaning().to_owned());
            add("Weaker", times.snapshots_created, Some(reason), Some(message));
        }
    }
    match &record.failure {
        Some(refusal) if !matches!(record.milestone, Milestone::Aborting) => {
            add("Failed", times.completed, Some(refusal.reason.to_string()), Some(advice(refusal)));
        }
        Some(_) => {}
        None => add("Complete", times.completed, Some(proof(record).to_owned()), None),
    }
    let left = record.clean_failure.as_deref().map(short);
    if left.is_some() || times.clean_failed.is_some() {
        add("CleanFailed", times.clean_failed, Some(Reason::CleanFailed.to_string()), left);
    }
    add("Cleaned", times.cleaned, Some("NothingLeft".to_owned()), None);
    let refused = view.refused();
    if let Some((_, first)) = refused.first() {
        let all: Vec<_> = refused.iter().map(|(plane, last)| format!("plane {plane}: {}", last.refusal)).collect();
        let reason = Some(first.refusal.reason.to_string());
        add("Blocked", Some(first.since), reason, Some(short(&all.join("; "))));
    }
    all
}

/// A condition whose date stays while it stays.
fn kept_condition(old: Option<&Map<String, Value>>, kind: &str, refusal: &Refusal, now: Timestamp) -> ConditionStatus {
    let since = all_conditions(old)
        .into_iter()
        .find(|kept| kept.kind == kind && kept.status == "True")
        .and_then(|kept| kept.last_transition_time);
    ConditionStatus {
        kind: kind.to_owned(),
        status: "True".to_owned(),
        last_transition_time: since.or_else(|| Some(rfc3339(now))),
        reason: Some(refusal.reason.to_string()),
        message: Some(advice(refusal)),
    }
}

pub(super) fn all_conditions(old: Option<&Map<String, Value>>) -> Vec<ConditionStatus> {
    let list = old.and_then(|old| old.get("conditions")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

fn kept_conditions(old: Option<&Map<String, Value>>) -> Vec<ConditionStatus> {
    all_conditions(old).into_iter().filter(|kept| !OUR_CONDITIONS.contains(&kept.kind.as_str())).collect()
}

fn barrier(view: &View) -> BarrierStatus {
    let record = &view.record;
    let ms = |length: Option<Millis>| length.map(|length| int(length.0));
    BarrierStatus {
        attempt: Some(i64::from(record.attempt)),
        trace_id: Some(record.trace().to_string()),
        epoch: (record.epoch.0 > 0).then(|| int(record.epoch.0)),
        step: Some(format!("{:?}", view.phase)),
        waiting_for: (!view.waiting_for.is_empty()).then(|| short(&view.waiting_for)),
        settle_limit_ms: ms(Some(record.request.limits.settle)),
        reach_limit_ms: ms(Some(record.request.limits.reach)),
        hold_limit_ms: ms(Some(record.request.limits.hold)),
        settle_ms: ms(record.barrier.settle),
        reach_ms: ms(record.barrier.reach),
        hold_ms: ms(record.barrier.hold),
    }
}

fn certificate(certificate: &Certificate) -> CertificateStatus {
    let sum = |count: fn(&shared::evidence::Evidence) -> usize| {
        certificate.planes.values().map(|plane| count(&plane.evidence) as u64).sum::<u64>()
    };
    CertificateStatus {
        verdict: certificate.verdict.as_str().to_owned(),
        attempt: i64::from(certificate.attempt),
        epoch: int(certificate.epoch.0),
        cluster_id: certificate.cluster.to_string(),
        commit_ts: certificate.commit_ts.to_string(),
        gc_safe_point: certificate.gc_safe_point.to_string(),
        regions: int(certificate.regions),
        stores: int(sum(|evidence| evidence.stores.len())),
        snapshots: int(sum(|evidence| evidence.snapshots.len())),
        made_at: Some(rfc3339(certificate.made_at)),
    }
}

/// Plain structs of texts, numbers and lists always serialise.
fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub(super) mod rows;

#[cfg(test)]
mod tests;
