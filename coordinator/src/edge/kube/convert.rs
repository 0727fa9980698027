//! The only place where Kubernetes types meet the domain. Pure: an object in, a wish (or why it can never work) out;
//! a barrier in, a status out.

mod checks;
mod clusters;
mod faults;
mod options;
mod published;
pub mod restore;
pub mod restore_status;
pub mod run;
pub mod schedule;
pub mod status;
mod storage;
mod succeeded;
pub mod units;
mod words;

pub use restore::{restore, unreadable_restore};
pub use restore_status::merge_restore_status;
pub use schedule::{merge_schedule_status, schedule, unreadable_schedule};
pub use status::merge_status;
pub use units::go_duration;
pub(crate) use words::short;

use self::{
    clusters::{Clusters, Named},
    faults::Faults,
    units::millis,
};
use super::crd::{Barrier, ClusterRef, FINALIZER, Template, VolumeBackup};
use crate::ports::{Object, Published, Scheduled};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use shared::{
    duration::{self, Units},
    ids::{BackupUid, PlaneId},
    reason::{Reason, Refusal, cut},
    request::{CleanPolicy, Credentials, Limits, MemberRequest, Request, SizeLevel},
    retention::{Backup, BackupState, HOLD_ANNOTATION},
    schedule::SCHEDULE_LABEL,
    time::Millis,
    wire::TEXT_MAX,
};

/// `"true"`: end the backup now.
pub const CANCEL_ANNOTATION: &str = "isochron.pingcap.com/cancel";
/// Any text; another one than before: what was refused is tried again now.
pub const TRY_AGAIN_ANNOTATION: &str = "isochron.pingcap.com/try-again";
/// Planes, separated by commas, that an admin gives up knowingly.
pub const ABANDON_ANNOTATION: &str = "isochron.pingcap.com/abandon-planes";
/// IAM role of the pods, as kube2iam had it (`facts/tidb-operator.md` §6).
const ROLE_ANNOTATION: &str = "iam.amazonaws.com/role";
/// What that role's trust policy asks for, where it is one of another account.
pub const EXTERNAL_ID_ANNOTATION: &str = "isochron.pingcap.com/role-external-id";

/// Deletions per second and plane when the spec says nothing that can be used (`facts/tidb-operator.md` §3.4).
const DEFAULT_DELETE_RATIO: f64 = 1.0;
/// What the ratio may be (same source).
const DELETE_RATIOS: std::ops::RangeInclusive<f64> = 0.1..=2.0;

/// Longest clock of a barrier that can be meant: TiKV takes no leader transfer all that time.
const MAX_CLOCK: Millis = Millis::secs(3600);
/// Longest time for new attempts: a week, the longest period of a schedule in use.
const MAX_RETRY: Millis = Millis::secs(7 * 24 * 3600);
/// Oldest safe_ts that can be meant: GC has passed a day-old moment on every cluster in use.
const MAX_SAFE_TS_AGE: Millis = Millis::secs(24 * 3600);

/// What the coordinator knows of an object. `defaults` are the bounds of a backup that sets none itself.
/// `None` for an object without uid, namespace or name, which no API server hands out.
pub fn object(backup: &VolumeBackup, defaults: &Limits) -> Option<Object> {
    let mut object = known(&backup.metadata, backup.phase())?;
    object.request = request(backup, &object, defaults, "spec");
    object.published = published::published(backup, &object.uid);
    object.clean_policy = clean_policy(backup.spec.template.as_ref().unwrap_or(&Template::default()));
    if let Some(scheduled) = &mut object.scheduled {
        scheduled.backup.state = state(&object.phase, object.published.as_ref());
        scheduled.backup.ended = object.published.as_ref().and_then(|published| published.completed);
        scheduled.backup.skip_gc = backup.skip_gc;
    }
    Some(object)
}

/// How far a backup is, for schedule and retention, as long as the ledger says nothing: it alone calls one proven. While
/// it is deleted its phase says how that goes; then it has ended as the certificate says.
fn state(phase: &str, published: Option<&Published>) -> BackupState {
    let Some(published) = published.filter(|published| published.has_ended()) else {
        return if phase == "Invalid" { BackupState::Failed } else { BackupState::Running };
    };
    if published.phase == "Complete" || (published.phase != "Failed" && published.certified) {
        BackupState::Complete { proven: false }
    } else {
        BackupState::Failed
    }
}

/// `None`: no word that there is.
fn clean_policy(template: &Template) -> Option<CleanPolicy> {
    match template.clean_policy.as_deref().unwrap_or_default() {
        "" | "Retain" => Some(CleanPolicy::Retain),
        "OnFailure" => Some(CleanPolicy::OnFailure),
        "Delete" => Some(CleanPolicy::Delete),
        _ => None,
    }
}

/// The same for an object whose spec does not have the shape of a VolumeBackup, which a schema prevents but a schema
/// may be replaced: it is Invalid, and its deletion still works.
pub fn unreadable(metadata: &ObjectMeta, error: &str) -> Option<Object> {
    let mut object = known(metadata, "")?;
    let message = cut(format!("the object is not a VolumeBackup: {error}"), TEXT_MAX);
    object.request = Err(Refusal::new(Reason::SpecInvalid, message));
    Some(object)
}

/// Everything but the wish.
fn known(metadata: &ObjectMeta, phase: &str) -> Option<Object> {
    let annotation = |name: &str| metadata.annotations.as_ref().and_then(|all| all.get(name)).map(|text| text.trim());
    let uid = BackupUid::new(metadata.uid.clone()?);
    let label = metadata.labels.as_ref().and_then(|all| all.get(SCHEDULE_LABEL)).filter(|name| !name.is_empty());
    let scheduled = label.zip(metadata.name.as_ref()).map(|(schedule, name)| Scheduled {
        schedule: schedule.clone(),
        backup: Backup {
            name: name.clone(),
            uid: uid.clone(),
            created: metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default(),
            ended: None,
            // Of an object that cannot be read, nothing will ever run.
            state: BackupState::Failed,
            deleting: metadata.deletion_timestamp.as_ref().map(millis),
            skip_gc: false,
            on_hold: annotation(HOLD_ANNOTATION) == Some("true"),
        },
    });
    Some(Object {
        scheduled,
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        created: metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        finalizer: metadata.finalizers.iter().flatten().any(|name| name == FINALIZER),
        phase: phase.to_owned(),
        published: None,
        clean_policy: None,
        request: Err(Refusal::new(Reason::SpecInvalid, "the spec was not read")),
        cancel: annotation(CANCEL_ANNOTATION) == Some("true"),
        try_again: annotation(TRY_AGAIN_ANNOTATION).unwrap_or_default().to_owned(),
        abandoned: annotation(ABANDON_ANNOTATION)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|plane| !plane.is_empty())
            .map(PlaneId::from)
            .collect(),
        uid,
    })
}

/// `root`: where the spec stands in the object that the user wrote.
fn request(backup: &VolumeBackup, object: &Object, defaults: &Limits, root: &'static str) -> Result<Request, Refusal> {
    let mut faults = Faults::of(root);
    let spec = &backup.spec;
    let members = members(spec.clusters.as_deref().unwrap_or_default(), &mut faults);
    let empty = Template::default();
    let template = spec.template.as_ref().unwrap_or(&empty);
    if template.br.is_none() {
        faults.add(Reason::BrMissing, "spec.template.br is missing");
    }
    let options = options::read(template);
    let storage = storage::storage(template, &options, &mut faults);
    checks::storage(&storage, &members, &mut faults);
    let clean_policy = clean_policy(template).unwrap_or_else(|| {
        let other = template.clean_policy.as_deref().unwrap_or_default();
        let text = format!("spec.template.cleanPolicy is {other:?}; it must be Retain, OnFailure or Delete");
        faults.add(Reason::SpecInvalid, text);
        CleanPolicy::Retain
    });
    let (limits, retry_within) = limits(template, spec.barrier.as_ref(), defaults, &mut faults);
    let credentials = credentials(backup, template);
    match &credentials {
        Credentials::Secret(name) => checks::name("spec.template.s3.secretName", name, &mut faults),
        Credentials::ServiceAccount(name) => checks::name("spec.template.serviceAccount", name, &mut faults),
        Credentials::Role(_) | Credentials::Default => {}
    }
    let role_external_id = role_external_id(backup, &credentials, &mut faults);
    let request = Request {
        backup: object.uid.clone(),
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        members,
        storage,
        credentials,
        clean_policy,
        size_level: size_level(template.calc_size_level.as_deref()),
        delete_ratio_milli: delete_ratio_milli(template.snapshots_delete_ratio),
        limits,
        retry_within,
        role_external_id,
        ignored: options.ignored,
        allow_weaker_holds: spec.barrier.as_ref().and_then(|barrier| barrier.allow_weaker_holds).unwrap_or(false),
    };
    if let Err(bytes) = status::rows::room(&request) {
        let text = format!(
            "spec.clusters has {} entries, which with these names and this prefix make an object of {bytes} bytes; etcd takes \
             1.5 MiB: name fewer planes, or shorten s3.prefix",
            request.members.len()
        );
        faults.add(Reason::SpecInvalid, text);
    }
    faults.or(request)
}

fn members(clusters: &[ClusterRef], faults: &mut Faults) -> Vec<MemberRequest> {
    if !clusters::are_few(clusters.len(), "a backup", faults) {
        return Vec::new();
    }
    let mut known = Clusters::default();
    let mut members = Vec::with_capacity(clusters.len());
    for (index, cluster) in clusters.iter().enumerate() {
        let written = [&cluster.k8s_cluster_name, &cluster.tc_name, &cluster.tc_namespace];
        let Named { plane, name, namespace } = known.read(index, written, faults);
        members.push(MemberRequest { plane, tc_name: name, tc_namespace: namespace });
    }
    members
}

/// A named secret wins over a role, a role over a ServiceAccount (`facts/tidb-operator.md` §6).
fn credentials(backup: &VolumeBackup, template: &Template) -> Credentials {
    let filled = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let role = backup.metadata.annotations.as_ref().and_then(|all| all.get(ROLE_ANNOTATION));
    if let Some(secret) = filled(template.s3.as_ref().and_then(|s3| s3.secret_name.as_ref())) {
        Credentials::Secret(secret)
    } else if let Some(role) = filled(role) {
        Credentials::Role(role)
    } else if let Some(account) = filled(template.service_account.as_ref()) {
        Credentials::ServiceAccount(account)
    } else {
        Credentials::Default
    }
}

fn role_external_id(backup: &VolumeBackup, credentials: &Credentials, faults: &mut Faults) -> String {
    let id = backup.metadata.annotations.as_ref().and_then(|all| all.get(EXTERNAL_ID_ANNOTATION));
    let id = id.map(|id| id.trim().to_owned()).unwrap_or_default();
    // AssumeRole's own bounds (doc: AssumeRole, ExternalId).
    let is_one = (2..=1224).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-\\".contains(&byte));
    if !id.is_empty() && !is_one {
        let text =
            format!("annotation {EXTERNAL_ID_ANNOTATION} is no external id: 2 to 1224 letters, digits and _+=,.@:/-");
        faults.add(Reason::SpecInvalid, text);
    }
    if !id.is_empty() && !matches!(credentials, Credentials::Role(_)) {
        let text = format!("annotation {EXTERNAL_ID_ANNOTATION} goes with a role in annotation {ROLE_ANNOTATION}");
        faults.add(Reason::SpecInvalid, text);
    }
    id
}

fn size_level(text: Option<&str>) -> SizeLevel {
    match text {
        // The schema's default, where no schema is (stand-alone) or the user wrote null.
        None | Some("all") => SizeLevel::All,
        Some("full") => SizeLevel::Full,
        Some("incremental") => SizeLevel::Incremental,
        Some(_) => SizeLevel::None,
    }
}

fn delete_ratio_milli(ratio: Option<f64>) -> u32 {
    let ratio = ratio.filter(|ratio| DELETE_RATIOS.contains(ratio)).unwrap_or(DEFAULT_DELETE_RATIO);
    // In range, so between 100 and 2000.
    (ratio * 1000.0).round() as u32
}

fn limits(
    template: &Template,
    barrier: Option<&Barrier>,
    defaults: &Limits,
    faults: &mut Faults,
) -> (Limits, Option<Millis>) {
    let empty = Barrier::default();
    let barrier = barrier.unwrap_or(&empty);
    let mut limits = defaults.clone();
    let mut clock = |name: &str, text: &Option<String>, into: &mut Millis, least: u64, most: Millis| {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return };
        match duration::parse(text, Units::Go) {
            Ok(length) if length.0 >= least && length <= most => *into = length,
            _ => faults.add(
                Reason::SpecInvalid,
                format!(
                    "spec.barrier.{name} is {text:?}; write a duration like 90s or 1m30s, from {} up to {}",
                    if least > 0 { "1ms" } else { "0s" },
                    go_duration(most)
                ),
            ),
        }
    };
    clock("settleTimeout", &barrier.settle_timeout, &mut limits.settle, 1, MAX_CLOCK);
    clock("reachTimeout", &barrier.reach_timeout, &mut limits.reach, 1, MAX_CLOCK);
    clock("holdTimeout", &barrier.hold_timeout, &mut limits.hold, 1, MAX_CLOCK);
    clock("safeTsMaxAge", &barrier.safe_ts_max_age, &mut limits.safe_ts_age, 1, MAX_SAFE_TS_AGE);
    let mut retry = Millis(0);
    clock("retryWithin", &barrier.retry_within, &mut retry, 0, MAX_RETRY);
    if let Some(seconds) = template.volume_backup_init_job_max_active_seconds {
        match u64::try_from(seconds) {
            Ok(seconds) if seconds >= 1 => limits.total = Millis(seconds.saturating_mul(1000)),
            _ => faults.add(
                Reason::SpecInvalid,
                format!("spec.template.volumeBackupInitJobMaxActiveSeconds is {seconds}; it must be at least 1"),
            ),
        }
    }
    (limits, Some(retry).filter(|retry| retry.0 > 0))
}

#[cfg(test)]
mod tests;
