//! `status` of a VolumeBackup: what users know (`facts/tidb-operator.md` §1.3, §1.4), and ours beside it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What became of the wish.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// Of the object that this status is about. One that came with a copy names another, and counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// By which tags, planes and S3 know the backup, if it was taken over from an earlier object.
    #[serde(rename = "backupUid", skip_serializing_if = "Option::is_none")]
    pub backup_uid: Option<String>,
    /// One row per Kubernetes cluster, in the order of spec.clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<Vec<MemberStatus>>,
    /// When the backup was first seen. `null` until then, never absent.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_started: Option<String>,
    /// When it was Complete or Failed. `null` until then, never absent.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_completed: Option<String>,
    /// Between the two, like 16m4s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_taken: Option<String>,
    /// Full size of all snapshots in bytes; absent while, or where, EC2 has not told it of every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_size: Option<i64>,
    /// The same for people, like 2.2 TB; `unknown` where EC2 did not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_size_readable: Option<String>,
    /// What it added to the snapshots that were there before it, in bytes; told some time after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incremental_backup_size: Option<i64>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incremental_backup_size_readable: Option<String>,
    /// The moment that the backup holds: a TiDB timestamp in decimal. Present only with a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ts: Option<String>,
    /// Running, SnapshotsCreated, Complete, Failed, CleanFailed, Cleaned or Invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// One per type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<ConditionStatus>>,
    /// How the pause went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<BarrierStatus>,
    /// What was proved; the whole certificate lies beside each backupmeta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// How the backup was found when its planes last looked at it as a whole; absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerifiedStatus>,
    /// Faults of the coordinator itself; absent when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Vec<String>>,
}

/// One Kubernetes cluster's part.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// fed-BACKUP-K8SCLUSTERNAME.
    pub backup_name: String,
    /// Where its metadata lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_path: Option<String>,
    /// Full size of its snapshots in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_size: Option<i64>,
    /// What these added to the snapshots that were there before them, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental_backup_size: Option<i64>,
    /// The least safe_ts that its TiKV reported; status.commitTs is the least of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_ts: Option<String>,
    /// Which Kubernetes cluster.
    #[serde(default, rename = "k8sClusterName", skip_serializing_if = "Option::is_none")]
    pub k8s_cluster_name: Option<String>,
    /// How far it is.
    pub phase: String,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// Why it failed, one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// TidbCluster there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tc_name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tc_namespace: Option<String>,
}

/// One condition.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConditionStatus {
    /// A phase.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// When status last changed.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub last_transition_time: Option<String>,
    /// One word of the published table of reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How the pause went. Lengths in milliseconds by the coordinator's monotonic clock (`design.md` §12).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct BarrierStatus {
    /// Number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// By which id logs of the coordinator and of planes name this attempt.
    #[serde(rename = "traceId", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its fencing token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What is waited for.
    #[serde(rename = "waitingFor", skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// At most this long each, or the attempt fails by the name of its clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_limit_ms: Option<i64>,
    /// See settle_limit_ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach_limit_ms: Option<i64>,
    /// See settle_limit_ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_limit_ms: Option<i64>,
    /// Only scheduling and GC held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_ms: Option<i64>,
    /// First TiKV lease until all regions were proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach_ms: Option<i64>,
    /// From there until everything was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<i64>,
}

/// What the certificate says, in short.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// What it claims.
    pub verdict: String,
    /// Of which attempt.
    pub attempt: i64,
    /// Under which fencing token.
    pub epoch: i64,
    /// PD's cluster id; a string, because it is above 2^53.
    pub cluster_id: String,
    /// The moment; a string, because it is above 2^53.
    pub commit_ts: String,
    /// PD's GC safe point when it was made; below commitTs.
    pub gc_safe_point: String,
    /// Regions that tiled the key space exactly.
    pub regions: i64,
    /// Stores that were held.
    pub stores: i64,
    /// Snapshots that it names.
    pub snapshots: i64,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub made_at: Option<String>,
}

/// Is it still whole? It stays Complete whatever this says: what follows from it is a person's decision.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct VerifiedStatus {
    /// Sound: everything holds. Partly: a right is missing to look at everything. Broken: something does not hold.
    pub level: String,
    /// When.
    #[schemars(schema_with = "moment")]
    pub at: Option<String>,
    /// What does not hold, or could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Go's `metav1.Time`: RFC 3339, or `null`.
pub(super) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "nullable": true})
}
