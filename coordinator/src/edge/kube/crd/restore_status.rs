//! The status of a VolumeRestore, as users of the old manager know it (`facts/restore.md` §1.3), and ours beside that.

use super::{ConditionStatus, status::moment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of the wish.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatus {
    /// One row per Kubernetes cluster, in the order of spec.clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<Vec<RestoreMemberStatus>>,
    /// RestoreVolume, WarmUp, StartTiKV, RestoreData, RestartTiKV, as far as they have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepStatus>>,
    /// When the restore was first seen. `null` until then, never absent.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_started: Option<String>,
    /// When it was Complete or Failed. `null` until then, never absent.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_completed: Option<String>,
    /// Between the two, like 16m4s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_taken: Option<String>,
    /// The moment that is restored: a TiDB timestamp in decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_ts: Option<String>,
    /// Running, VolumeComplete, WarmUpStarted, TikvComplete, DataComplete, Complete, Failed, Cleaned or Invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What is under way, in the coordinator's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What is waited for, or why it failed; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// uid of the VolumeBackup that is restored, as its certificate names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_uid: Option<String>,
    /// Volumes that were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<i64>,
    /// GiB of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_gib: Option<i64>,
    /// Volumes that were deleted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes_deleted: Option<i64>,
    /// One per type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<ConditionStatus>>,
    /// What was proved; the whole certificate lies beside the first plane's part of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<RestoreCertificateStatus>,
}

/// One plane's part.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RestoreMemberStatus {
    /// Name of the Kubernetes cluster.
    #[serde(rename = "k8sClusterName", skip_serializing_if = "Option::is_none")]
    pub k8s_cluster_name: Option<String>,
    /// Name of the TidbCluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tc_name: Option<String>,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tc_namespace: Option<String>,
    /// As it was called with the old manager.
    pub restore_name: String,
    /// As above.
    pub phase: String,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ts: Option<String>,
    /// Why it failed, or is not done yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One step, as users know it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Its name.
    pub step_name: String,
    /// When it began.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_started: Option<String>,
    /// When it ended. `null` until then.
    #[serde(default)]
    #[schemars(schema_with = "moment")]
    pub time_completed: Option<String>,
    /// Between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_taken: Option<String>,
}

/// What was proved.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RestoreCertificateStatus {
    /// Restored or Weaker.
    pub verdict: String,
    /// What makes it weaker than it could be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weaker: Vec<String>,
    /// PD's cluster id of the restored cluster, in decimal.
    pub cluster_id: String,
    /// Stores of the backup that run there.
    pub stores: i64,
    /// Regions that were flashed back.
    pub regions: i64,
    /// Of these: content compared.
    pub compared: i64,
    /// The flashback's commit_ts, in decimal.
    pub flashback_ts: String,
}
