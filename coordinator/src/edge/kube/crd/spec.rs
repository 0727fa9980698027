//! `spec` of a VolumeBackup (`facts/tidb-operator.md` §1.3). Everything that users may write is here; what we hand to
//! nobody (pods of jobs that no longer exist) is accepted as it stands and not looked into.

// KubeSchema repeats each struct inside a function of its own; clippy takes the columns' types for one attribute.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What to back up, how, and where the metadata goes.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "federation.pingcap.com",
    version = "v1alpha1",
    kind = "VolumeBackup",
    root = "Base",
    plural = "volumebackups",
    singular = "volumebackup",
    shortname = "vbk",
    namespaced,
    status = "super::BackupStatus",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase", description = "How far the backup is"),
    printcolumn(
        name = "BackupSize",
        type_ = "string",
        json_path = ".status.backupSizeReadable",
        description = "Full size of all snapshots"
    ),
    printcolumn(
        name = "CommitTS",
        type_ = "string",
        json_path = ".status.commitTs",
        description = "The moment that the backup holds"
    ),
    printcolumn(
        name = "TimeTaken",
        type_ = "string",
        json_path = ".status.timeTaken",
        description = "From start to end"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    // Ours, and last: whoever cuts columns by their place finds the others where they were.
    printcolumn(
        name = "Verdict",
        type_ = "string",
        json_path = ".status.certificate.verdict",
        description = "What the certificate proves: Consistent or Weaker",
        priority = 1
    ),
    printcolumn(
        name = "Hold",
        type_ = "integer",
        json_path = ".status.barrier.hold_ms",
        description = "How long the last barrier held, in ms",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].reason",
        description = "What it is at, what blocks it, what it proves, or why it failed",
        priority = 1
    ),
    printcolumn(
        name = "Step",
        type_ = "string",
        json_path = ".status.barrier.step",
        description = "Step of the protocol",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.clusters) && self.clusters.size() > 0")
        .message("spec.clusters is empty: name at least one Kubernetes cluster with k8sClusterName, tcName and tcNamespace"),
    validation = Rule::new("has(self.template) && has(self.template.br)")
        .message("spec.template.br is missing: add it; it may be {}"),
    validation = Rule::new(
        "has(self.template) && (has(self.template.s3) || has(self.template.gcs) || has(self.template.azblob) || has(self.template.local))"
    )
    .message("spec.template.s3 is missing: add it with provider, region, bucket and prefix"),
    validation = Rule::new(
        "!has(self.template) || has(self.template.s3) || !(has(self.template.gcs) || has(self.template.azblob) || has(self.template.local))"
    )
    .message("a volume-snapshot backup keeps its metadata in S3 only: use spec.template.s3 with provider aws")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupSpec {
    /// The Kubernetes clusters that hold TiKV of the TiDB cluster. The first one also holds PD for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Far more Kubernetes clusters than a TiDB cluster spans; whether the object fits into etcd is the coordinator's to say.
    // A map, because a rule that no name stands twice costs the square of this, which no API server takes.
    #[schemars(
        length(max = 1000),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["k8sClusterName"])
    )]
    pub clusters: Option<Vec<ClusterRef>>,
    /// How each Kubernetes cluster's part is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// Bounds of the pause. Optional: the defaults suit a healthy cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Barrier>,
}

/// One Kubernetes cluster and the part of the TiDB cluster in it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.k8sClusterName) && self.k8sClusterName != ''")
        .message("k8sClusterName is missing: write the name of the Kubernetes cluster that its plane actor goes by"),
    validation = Rule::new("has(self.tcName) && self.tcName != ''")
        .message("tcName is missing: write the name of the TidbCluster in this Kubernetes cluster"),
    validation = Rule::new("has(self.tcNamespace) && self.tcNamespace != ''")
        .message("tcNamespace is missing: write the namespace of the TidbCluster in this Kubernetes cluster")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    /// Name of the Kubernetes cluster, the one its plane actor goes by.
    #[serde(default, rename = "k8sClusterName", skip_serializing_if = "Option::is_none")]
    // Long enough for an EKS cluster's ARN, which kubeconfig contexts often are.
    // A key of the list has to be there.
    #[schemars(length(max = 253), extend("default" = ""))]
    #[x_kube(validation = Rule::new(r"self == '' || !(self.matches('(^|/)([.][.]?)?(/|$)') || self.matches(r'^\s|\s$|\p{Cc}'))")
        .message("k8sClusterName must have no invisible character and no empty, '.' or '..' between slashes: it is part of the files' path"))]
    pub k8s_cluster_name: Option<String>,
    /// Name of the TidbCluster there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("tcName must be a name in Kubernetes: only a-z, 0-9, '-' and '.', with a letter or digit at both ends"))]
    pub tc_name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("tcNamespace must be a namespace: only a-z, 0-9 and '-', with a letter or digit at both ends"))]
    pub tc_namespace: Option<String>,
}

/// How each part is backed up.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub resources: Option<Map<String, Value>>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub env: Option<Vec<Value>>,
    /// Required; may be {}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub br: Option<Br>,
    /// Where metadata goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
    /// Accepted by the schema; S3 is the only store that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub gcs: Option<Map<String, Value>>,
    /// Accepted by the schema; S3 is the only store that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub azblob: Option<Map<String, Value>>,
    /// Accepted by the schema; S3 is the only store that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub local: Option<Map<String, Value>>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub tolerations: Option<Vec<Value>>,
    /// Accepted and not used: no br program is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_image: Option<String>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub image_pull_secrets: Option<Vec<Value>>,
    /// ServiceAccount in the TidbCluster's namespace whose IAM role is used, when neither a secret nor a role is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("serviceAccount must be a name in Kubernetes: only a-z, 0-9, '-' and '.', with a letter or digit at both ends"))]
    pub service_account: Option<String>,
    /// Accepted and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// What deleting the backup deletes: Retain (nothing; also when unset), OnFailure, Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self in ['', 'Retain', 'OnFailure', 'Delete']")
        .message("cleanPolicy must be Retain, OnFailure or Delete"))]
    pub clean_policy: Option<String>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Which sizes are computed: all, full, incremental; anything else computes none.
    #[serde(default = "all", skip_serializing_if = "Option::is_none")]
    pub calc_size_level: Option<String>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub additional_volumes: Option<Vec<Value>>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub additional_volume_mounts: Option<Vec<Value>>,
    /// The longest that anything may be paused, in seconds.
    #[serde(default = "max_active_seconds", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1")
        .message("volumeBackupInitJobMaxActiveSeconds must be at least 1: it is the longest that anything may be paused"))]
    pub volume_backup_init_job_max_active_seconds: Option<i64>,
    /// Snapshot deletions per second and Kubernetes cluster, 0.1 to 2; anything else counts as 1.
    #[serde(default = "delete_ratio", skip_serializing_if = "Option::is_none")]
    pub snapshots_delete_ratio: Option<f64>,
}

// Not derived, or a template made in code would lack what the API server fills in.
impl Default for Template {
    fn default() -> Self {
        Self {
            resources: None,
            env: None,
            br: None,
            s3: None,
            gcs: None,
            azblob: None,
            local: None,
            tolerations: None,
            tool_image: None,
            image_pull_secrets: None,
            service_account: None,
            automount_service_account_token: None,
            clean_policy: None,
            priority_class_name: None,
            calc_size_level: all(),
            additional_volumes: None,
            additional_volume_mounts: None,
            volume_backup_init_job_max_active_seconds: max_active_seconds(),
            snapshots_delete_ratio: delete_ratio(),
        }
    }
}

/// Options of the br program; kept for manifests that have them, none has an effect on volume snapshots.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Br {
    /// Accepted and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i32>,
    /// Accepted and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_requirements: Option<bool>,
    /// Accepted and not used: no credential goes to TiKV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_cred_to_tikv: Option<bool>,
    /// Understood: --s3.sse, --s3.sse-kms-key-id, --s3.acl, --s3.storage-class, --s3.endpoint, --s3.region, --s3.role-arn and
    /// --s3.external-id; they come before the fields of s3. Condition OptionsIgnored names the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

/// Where metadata goes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(validation = Rule::new("has(self.bucket) && self.bucket != ''")
    .message("spec.template.s3.bucket is empty: name the bucket"))]
#[serde(rename_all = "camelCase")]
pub struct S3 {
    /// aws, or the maker of an S3-compatible store: alibaba, ceph, netease, other.
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self in ['aws', 'alibaba', 'ceph', 'netease', 'other']")
        .message("spec.template.s3.provider must be aws, or for a store that speaks S3 alibaba, ceph, netease or other"))]
    pub provider: String,
    /// Region of the bucket; empty: the Kubernetes cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Accepted and not used; see bucket and prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Name of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')")
        .message("spec.template.s3.bucket must be the bucket's name alone: letters, digits, dots, dashes and underscores; folders go into prefix"))]
    pub bucket: Option<String>,
    /// URL of an S3-compatible store; empty: AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self == '' || self.startsWith('http://') || self.startsWith('https://')")
        .message("spec.template.s3.endpoint must begin with http:// or https://"))]
    pub endpoint: Option<String>,
    /// S3 storage class of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Canned ACL of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// Secret in each TidbCluster's namespace with the keys access_key and secret_key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("secretName must be a name in Kubernetes: only a-z, 0-9, '-' and '.', with a letter or digit at both ends"))]
    pub secret_name: Option<String>,
    /// Each Kubernetes cluster's files go under PREFIX-K8SCLUSTERNAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // S3's keys have 1024 bytes; this leaves room for the names of the cluster and of the files.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"!(self.matches('(^|/)[.][.]?(/|$)') || self.matches(r'\p{Cc}'))")
        .message("spec.template.s3.prefix must have no part '.' or '..' between slashes and no control character: a restore would look elsewhere"))]
    pub prefix: Option<String>,
    /// Server-side encryption of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sse: Option<String>,
    /// Accepted and not used; condition OptionsIgnored names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Account (12 digits) that must own the bucket: with any other owner S3 refuses every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[0-9]{12}$')")
        .message("spec.template.s3.bucketOwner must be the 12 digits of an AWS account"))]
    pub bucket_owner: Option<String>,
    /// Path-style addressing; unset: true, except for alibaba and netease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_path_style: Option<bool>,
}

/// Bounds of the pause, as durations like 90s, 2m or 1m30s.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Barrier {
    /// While only scheduling and GC are held. Default 120s, at most 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('1h')")
        .message("barrier.settleTimeout must be a duration from 1ms up to 1h, like 90s or 1m30s"))]
    pub settle_timeout: Option<String>,
    /// From the first TiKV lease until all regions are proved. Default 120s, at most 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('1h')")
        .message("barrier.reachTimeout must be a duration from 1ms up to 1h, like 90s or 1m30s"))]
    pub reach_timeout: Option<String>,
    /// From there until everything is released. Default 60s, at most 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('1h')")
        .message("barrier.holdTimeout must be a duration from 1ms up to 1h, like 90s or 1m30s"))]
    pub hold_timeout: Option<String>,
    /// Until how long after the start a failed attempt may be followed by a new one. Unset: one attempt only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self) <= duration('168h')")
        .message("barrier.retryWithin must be a duration up to 168h, like 30m or 2h"))]
    pub retry_within: Option<String>,
    /// How far a region's safe_ts may lag. Default 10m, at most 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('24h')")
        .message("barrier.safeTsMaxAge must be a duration from 1ms up to 24h, like 10m"))]
    pub safe_ts_max_age: Option<String>,
    /// Back up also where TiKV is too old to be held in full (6.5.6, 6.5.7, 7.1.2 and later of 7.1, 7.5.0, 7.6): imports
    /// are suspended, and region changes are looked for instead of prevented. Such a backup's certificate says Weaker,
    /// never Consistent. Default false: such stores are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_weaker_holds: Option<bool>,
}

fn all() -> Option<String> {
    Some("all".to_owned())
}

fn max_active_seconds() -> Option<i64> {
    Some(600)
}

fn delete_ratio() -> Option<f64> {
    Some(1.0)
}

pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

pub(super) fn any_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}})
}
