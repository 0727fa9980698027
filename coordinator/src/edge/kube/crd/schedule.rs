//! The VolumeBackupSchedule custom resource (`facts/tidb-operator.md` §1.5, §2). Everything that users may write is here;
//! what is ours beyond it is optional.

// KubeSchema repeats each struct inside a function of its own; clippy takes the columns' types for one attribute.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

use super::{BackupSpec, ConditionStatus, status::moment};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema, Resource, core::TypeMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `kind` of a VolumeBackupSchedule.
pub const SCHEDULE_KIND: &str = "VolumeBackupSchedule";

/// When backups are made, of what, and how long they stay.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "federation.pingcap.com",
    version = "v1alpha1",
    kind = "VolumeBackupSchedule",
    root = "ScheduleBase",
    plural = "volumebackupschedules",
    singular = "volumebackupschedule",
    shortname = "vbks",
    namespaced,
    status = "ScheduleStatus",
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule", description = "When backups are made"),
    printcolumn(
        name = "MaxBackups",
        type_ = "integer",
        json_path = ".spec.maxBackups",
        description = "How many backups are kept"
    ),
    printcolumn(
        name = "MaxReservedTime",
        type_ = "string",
        json_path = ".spec.maxReservedTime",
        description = "How long backups are kept"
    ),
    printcolumn(
        name = "LastBackup",
        type_ = "string",
        json_path = ".status.lastBackup",
        description = "The backup made last",
        priority = 1
    ),
    printcolumn(
        name = "LastBackupTime",
        type_ = "date",
        json_path = ".status.lastBackupTime",
        description = "The moment it was scheduled for",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    // Ours, and last: whoever cuts columns by their place finds the others where they were.
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.phase",
        description = "Active, Waiting, Paused or Invalid",
        priority = 1
    ),
    printcolumn(
        name = "NextRun",
        type_ = "string",
        json_path = ".status.nextRun",
        description = "When the next backup is due",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// Five fields (minute, hour, day of month, month, day of week; 0 is Sunday) or @yearly, @monthly, @weekly, @daily,
    /// @hourly, @every DURATION; in UTC, unless it begins with TZ=ZONE or CRON_TZ=ZONE.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^\\\\s*((CRON_TZ|TZ)=\\\\S+\\\\s+)?(@[a-z]+|@every\\\\s+\\\\S+|\\\\S+\\\\s+\\\\S+\\\\s+\\\\S+\\\\s+\\\\S+\\\\s+\\\\S+)\\\\s*$')")
        .message("spec.schedule must have five fields (minute hour day-of-month month day-of-week), like 0 3 * * *, or be @daily, @every 6h or the like"))]
    pub schedule: String,
    /// No new backups while true; retention goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<bool>,
    /// How many complete backups are kept; unset or not above 0: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    pub max_backups: Option<i32>,
    /// How long complete backups are kept, like 72h, 7d or 2w. The last good one stays in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[+]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$')")
        .message("spec.maxReservedTime must be a duration like 72h, 7d or 2w"))]
    pub max_reserved_time: Option<String>,
    /// How many failed backups are kept to be read. Default 10, once anything is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.maxFailedBackups must not be negative"))]
    pub max_failed_backups: Option<i32>,
    /// How long failed backups are kept to be read. Default 7d, once anything is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[+]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$')")
        .message("spec.maxFailedReservedTime must be a duration like 72h, 7d or 2w"))]
    pub max_failed_reserved_time: Option<String>,
    /// Complete backups kept beyond the limits above: the newest of each of the last so many periods that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TierSpec>,
    /// Deleting the schedule deletes its backups too, as it always did with the old manager. Default false: they stay.
    /// It counts for backups made from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_backups_with_schedule: Option<bool>,
    /// What a backup of this schedule looks like: the spec of a VolumeBackup.
    pub backup_template: BackupSpec,
}

/// How many periods of each kind keep a backup.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TierSpec {
    /// Hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.tiers.hourly must not be negative"))]
    pub hourly: Option<i32>,
    /// Calendar days in the schedule's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.tiers.daily must not be negative"))]
    pub daily: Option<i32>,
    /// Weeks from Monday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.tiers.weekly must not be negative"))]
    pub weekly: Option<i32>,
    /// Calendar months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.tiers.monthly must not be negative"))]
    pub monthly: Option<i32>,
    /// Calendar years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2147483647))]
    #[x_kube(validation = Rule::new("self >= 0").message("spec.tiers.yearly must not be negative"))]
    pub yearly: Option<i32>,
}

/// Where a schedule stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// Name of the backup made last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<String>,
    /// The moment it was scheduled for; not the moment it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub last_backup_time: Option<String>,
    /// When retention took the last backup away; runs are counted from here then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub all_backup_clean_time: Option<String>,
    /// Active, Waiting, Paused or Invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// One sentence on why nothing runs now; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The expression that lastBackupTime belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When the next backup is due; absent when none will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub next_run: Option<String>,
    /// Name of the newest Complete backup that is proven consistent; where none is (those of the old manager have no
    /// certificate, and Weaker is no proof), of the newest Complete one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<String>,
    /// When that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub last_success_time: Option<String>,
    /// One per type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<ConditionStatus>>,
}

/// A VolumeBackupSchedule as it is read; written, like a VolumeBackup, only through the untyped object.
#[derive(Resource, Serialize, Deserialize, Clone, Debug)]
#[resource(inherit = ScheduleBase)]
pub struct VolumeBackupSchedule {
    /// `apiVersion` and `kind`; absent in the items of a list.
    #[serde(flatten, default)]
    pub types: Option<TypeMeta>,
    /// Name, namespace, uid, labels, annotations.
    pub metadata: ObjectMeta,
    /// The wish.
    pub spec: ScheduleSpec,
    /// Where it stands, as it stands: whatever somebody wrote there, the wish stays readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}
