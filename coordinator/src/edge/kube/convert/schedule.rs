//! A VolumeBackupSchedule object in, a wish (or why it can never work) out; a scheduler's status in, a status out.

use super::{
    super::crd::{ConditionStatus, ScheduleSpec, ScheduleStatus, TierSpec, VolumeBackup, VolumeBackupSchedule},
    faults::Faults,
    status::all_conditions,
    units::millis,
    words::{rfc3339, short},
};
use crate::ports::Schedule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};
use shared::{
    cron::{Cron, Zone},
    reason::{Reason, Refusal, cut},
    request::{Limits, Request},
    retention::{Policy, PolicyText, Tier},
    schedule::{GROUP_LABEL, Object, Phase, ScheduleKey, Spec, Status},
    time::Timestamp,
    wire::TEXT_MAX,
};

/// A schedule's name is a label's value on its backups, which Kubernetes bounds.
const MAX_NAME: usize = 63;
/// Will backups be made?
const READY: &str = "Ready";
/// True while retention deletes nothing although it should; absent otherwise.
const STOPPED: &str = "RetentionStopped";

/// What the coordinator knows of a schedule. `defaults` are the bounds of backups that set none, `zone` is where the
/// wall clock of expressions without a zone hangs. `None` for an object without uid, namespace or name.
pub fn schedule(found: &VolumeBackupSchedule, defaults: &Limits, zone: &Zone) -> Option<Schedule> {
    let status = found.status.as_ref().map(read_status).unwrap_or_default();
    let mut known = known(&found.metadata, status)?;
    let (spec, template) = request(&found.metadata, &found.spec, defaults, zone);
    known.object.spec = spec;
    known.planes = template.iter().flat_map(|request| &request.members).map(|member| member.plane.clone()).collect();
    known.template = template;
    Some(known)
}

/// The same for an object whose spec does not have the shape of a VolumeBackupSchedule.
pub fn unreadable_schedule(metadata: &ObjectMeta, error: &str) -> Option<Schedule> {
    let mut known = known(metadata, Status::default())?;
    // Such a number also stops the old manager's reader.
    let hint = if error.contains("i32") { "; whole numbers like spec.maxBackups are at most 2147483647" } else { "" };
    let message = cut(format!("the object is not a VolumeBackupSchedule: {error}"), TEXT_MAX - hint.len()) + hint;
    known.object.spec = Err(Refusal::new(Reason::SpecInvalid, message));
    Some(known)
}

fn known(metadata: &ObjectMeta, status: Status) -> Option<Schedule> {
    let group = metadata.labels.as_ref().and_then(|all| all.get(GROUP_LABEL)).filter(|group| !group.is_empty());
    Some(Schedule {
        key: ScheduleKey { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? },
        deleting: metadata.deletion_timestamp.is_some(),
        planes: Vec::new(),
        template: None,
        object: Object {
            uid: metadata.uid.clone()?,
            created: metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default(),
            group: group.cloned(),
            spec: Err(Refusal::new(Reason::SpecInvalid, "the spec was not read")),
            status,
        },
    })
}

fn request(
    metadata: &ObjectMeta,
    spec: &ScheduleSpec,
    defaults: &Limits,
    zone: &Zone,
) -> (Result<Spec, Refusal>, Option<Request>) {
    let mut faults = Faults::of("spec");
    if metadata.name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
        faults.add(
            Reason::SpecInvalid,
            format!("metadata.name is longer than {MAX_NAME} characters: backups bear it as a label's value"),
        );
    }
    let cron = Cron::parse_in(&spec.schedule, zone);
    let zone = cron.as_ref().map_or(zone, Cron::zone);
    let policy = Policy::parse(&policy_text(spec), zone);
    // A run of this schedule, as far as its own name does not matter.
    let run = VolumeBackup {
        types: None,
        metadata: ObjectMeta { deletion_timestamp: None, finalizers: None, ..metadata.clone() },
        skip_gc: false,
        spec: spec.backup_template.clone(),
        status: None,
    };
    let made = super::known(&run.metadata, "").map(|made| super::request(&run, &made, defaults, "spec.backupTemplate"));
    let template = match made {
        Some(Ok(request)) => Some(request),
        Some(Err(refusal)) => {
            faults.add(refusal.reason, format!("no backup of this schedule can work: {}", refusal.message));
            None
        }
        None => None,
    };
    if let Err(error) = &cron {
        faults.add(Reason::SpecInvalid, format!("spec.schedule: {error}"));
    }
    if let Err(error) = &policy {
        faults.add(Reason::SpecInvalid, error.to_string());
    }
    let (Ok(cron), Ok(policy)) = (cron, policy) else {
        return (faults.or(()).and(Err(Refusal::new(Reason::SpecInvalid, "spec.schedule"))), template);
    };
    let spec = Spec {
        cron,
        pause: spec.pause.unwrap_or_default(),
        policy,
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: metadata.annotations.clone().unwrap_or_default(),
    };
    (faults.or(spec), template)
}

fn policy_text(spec: &ScheduleSpec) -> PolicyText {
    let none = TierSpec::default();
    let tiers = spec.tiers.as_ref().unwrap_or(&none);
    PolicyText {
        max_backups: spec.max_backups,
        max_reserved_time: spec.max_reserved_time.clone(),
        max_failed_backups: spec.max_failed_backups,
        max_failed_reserved_time: spec.max_failed_reserved_time.clone(),
        tiers: Tier::ALL.map(|tier| {
            let count = match tier {
                Tier::Hourly => tiers.hourly,
                Tier::Daily => tiers.daily,
                Tier::Weekly => tiers.weekly,
                Tier::Monthly => tiers.monthly,
                Tier::Yearly => tiers.yearly,
            };
            (tier, count)
        }),
    }
}

/// The scheduler's status as it stands in an object. Fields that somebody spoilt count as absent.
fn read_status(status: &Value) -> Status {
    let text = |field: &str| status.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let moment = |field: &str| {
        let at: jiff::Timestamp = status.get(field)?.as_str()?.parse().ok()?;
        Some(Timestamp(at.as_millisecond()))
    };
    let stopped = all_conditions(status.as_object()).into_iter().find(|kept| kept.kind == STOPPED);
    let phases = [Phase::Active, Phase::Waiting, Phase::Paused, Phase::Invalid];
    Status {
        last_backup: text("lastBackup"),
        last_backup_time: moment("lastBackupTime"),
        all_backup_clean_time: moment("allBackupCleanTime"),
        schedule: text("schedule"),
        last_success: text("lastSuccess"),
        last_success_time: moment("lastSuccessTime"),
        next_run: moment("nextRun"),
        phase: phases.into_iter().find(|phase| phase.as_str() == text("phase")).unwrap_or_default(),
        message: text("message"),
        retention_stopped: stopped.and_then(|kept| kept.message).unwrap_or_default(),
    }
}

/// The status that a schedule with the status `old` is to have. What we do not write stays as it is.
pub fn merge_schedule_status(old: Option<&Value>, status: &Status, now: Timestamp) -> Value {
    let old = old.and_then(Value::as_object);
    let mut merged = old.cloned().unwrap_or_default();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let fresh = ScheduleStatus {
        last_backup: text(&status.last_backup),
        last_backup_time: status.last_backup_time.map(rfc3339),
        all_backup_clean_time: status.all_backup_clean_time.map(rfc3339),
        phase: text(status.phase.as_str()),
        message: text(&short(&status.message)),
        schedule: text(&status.schedule),
        next_run: status.next_run.map(rfc3339),
        last_success: text(&status.last_success),
        last_success_time: status.last_success_time.map(rfc3339),
        conditions: Some(conditions(old, status, now)),
    };
    for field in OUR_FIELDS {
        merged.remove(field);
    }
    if let Ok(Value::Object(fresh)) = serde_json::to_value(&fresh) {
        merged.extend(fresh);
    }
    Value::Object(merged)
}

/// Fields of status that only the coordinator writes.
const OUR_FIELDS: [&str; 10] = [
    "lastBackup",
    "lastBackupTime",
    "allBackupCleanTime",
    "phase",
    "message",
    "schedule",
    "nextRun",
    "lastSuccess",
    "lastSuccessTime",
    "conditions",
];

/// Ours, whose dates stay while their values stay, beside what others wrote.
fn conditions(old: Option<&Map<String, Value>>, status: &Status, now: Timestamp) -> Vec<ConditionStatus> {
    let mut all = all_conditions(old);
    let mut before = |kind: &str| all.iter().position(|kept| kept.kind == kind).map(|place| all.remove(place));
    let (was_ready, was_stopped) = (before(READY), before(STOPPED));
    // Waiting is ready: the run comes as soon as what it waits for is over.
    let ready = match status.phase {
        Phase::Active | Phase::Waiting => "True",
        Phase::Paused | Phase::Invalid => "False",
        Phase::Unknown => "Unknown",
    };
    // A refusal begins with its word of the published table.
    let (reason, message) = match status.message.split_once(": ") {
        Some((reason, message)) if status.phase == Phase::Invalid => (reason, message),
        _ => (status.phase.as_str(), status.message.as_str()),
    };
    let since = was_ready.filter(|was| was.status == ready).and_then(|was| was.last_transition_time);
    all.push(ConditionStatus {
        kind: READY.to_owned(),
        status: ready.to_owned(),
        last_transition_time: since.or_else(|| Some(rfc3339(now))),
        reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        message: Some(short(message)).filter(|message| !message.is_empty()),
    });
    if !status.retention_stopped.is_empty() {
        all.push(ConditionStatus {
            kind: STOPPED.to_owned(),
            status: "True".to_owned(),
            last_transition_time: was_stopped.and_then(|was| was.last_transition_time).or_else(|| Some(rfc3339(now))),
            reason: Some("ClockSkewed".to_owned()),
            message: Some(short(&status.retention_stopped)),
        });
    }
    all
}

#[cfg(test)]
mod tests;
