//! The VolumeRestore custom resource (`facts/restore.md` §1). Everything that users may write is here; what is ours beyond it is
//! optional.

// KubeSchema repeats each struct inside a function of its own; clippy takes the columns' types for one attribute.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

use super::{
    restore_status::RestoreStatus,
    spec::{Br, S3, any_object, any_objects},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema, Resource, core::TypeMeta};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `kind` of a VolumeRestore.
pub const RESTORE_KIND: &str = "VolumeRestore";
/// Keeps a VolumeRestore until what its deletion takes away is gone (`facts/restore.md` §1.1).
pub const RESTORE_FINALIZER: &str = "tidb.pingcap.com/restore-protection";

/// Which backup goes into which TiDB cluster.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "federation.pingcap.com",
    version = "v1alpha1",
    kind = "VolumeRestore",
    root = "RestoreBase",
    plural = "volumerestores",
    singular = "volumerestore",
    shortname = "vrt",
    namespaced,
    status = "RestoreStatus",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase", description = "How far the restore is"),
    printcolumn(
        name = "CommitTS",
        type_ = "string",
        json_path = ".status.commitTs",
        description = "The moment that is restored"
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
        name = "Stage",
        type_ = "string",
        json_path = ".status.stage",
        description = "What is under way",
        priority = 1
    ),
    printcolumn(
        name = "Verdict",
        type_ = "string",
        json_path = ".status.certificate.verdict",
        description = "What the certificate proves: Restored or Weaker",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        description = "What is waited for, or why it failed",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.clusters) && self.clusters.size() > 0")
        .message("spec.clusters is empty: name at least one Kubernetes cluster with k8sClusterName, tcName, tcNamespace and backup")
)]
#[serde(rename_all = "camelCase")]
pub struct RestoreSpec {
    /// The Kubernetes clusters that are restored into. The first one also speaks to PD and TiKV for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 1000),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["k8sClusterName"])
    )]
    pub clusters: Option<Vec<RestoreClusterRef>>,
    /// How each part is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<RestoreTemplate>,
    /// What the new volumes are. Default: gp3 with 3000 IOPS and 125 MiB/s, or what --volume-type, --volume-iops and
    /// --volume-throughput of template.br.options say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeSpec>,
    /// Nothing is restored: it is tried how far a restore would come. What is made for it is deleted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillSpec>,
    /// How much of the content is compared after the roll-back: none, sample (one region of 64; also when unset) or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self in ['', 'none', 'sample', 'all']").message("spec.content must be none, sample or all"))]
    pub content: Option<String>,
    /// Retain (also when unset): what was made stays when the object is deleted, or the restore fails after TiKV was started.
    /// Delete: it goes, as far as no pod uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self in ['', 'Retain', 'Delete']").message("spec.cleanPolicy must be Retain or Delete"))]
    pub clean_policy: Option<String>,
    /// A backup without a certificate that says Consistent will do; the restore's certificate then says Weaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_unproven: Option<bool>,
    /// How long steps may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutSpec>,
}

/// One Kubernetes cluster, and where its part of the backup lies.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.k8sClusterName) && self.k8sClusterName != ''")
        .message("k8sClusterName is missing: write the name of the Kubernetes cluster that its plane actor goes by"),
    validation = Rule::new("has(self.tcName) && self.tcName != ''")
        .message("tcName is missing: write the name of the TidbCluster that is restored into"),
    validation = Rule::new("has(self.tcNamespace) && self.tcNamespace != ''")
        .message("tcNamespace is missing: write the namespace of the TidbCluster that is restored into"),
    validation = Rule::new("has(self.backup) && has(self.backup.s3)")
        .message("backup.s3 is missing: write bucket and the plane's own folder, prefix-k8sClusterName of the backup")
)]
#[serde(rename_all = "camelCase")]
pub struct RestoreClusterRef {
    /// Name of the Kubernetes cluster, the one its plane actor goes by.
    #[serde(default, rename = "k8sClusterName", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), extend("default" = ""))]
    pub k8s_cluster_name: Option<String>,
    /// Name of the TidbCluster that is restored into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub tc_name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub tc_namespace: Option<String>,
    /// Availability zone of the new volumes; empty: that of each volume of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub az_name: Option<String>,
    /// The plane's own folder of the backup: prefix-k8sClusterName of the backup that is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupFolder>,
}

/// Where a plane's part of a backup lies.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BackupFolder {
    /// In S3.
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
}

/// How each part is restored.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTemplate {
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub resources: Option<Map<String, Value>>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub env: Option<Vec<Value>>,
    /// Understood of its options: --volume-type, --volume-iops, --volume-throughput, and those of S3 as in a VolumeBackup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub br: Option<Br>,
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
    pub service_account: Option<String>,
    /// Accepted and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub additional_volumes: Option<Vec<Value>>,
    /// Accepted and not used: there are no job pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_objects")]
    pub additional_volume_mounts: Option<Vec<Value>>,
    /// sync: TiKV starts when EC2 says that all data of the volumes is there. async, or unset: data comes when it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self in ['', 'sync', 'async']").message("spec.template.warmup must be sync or async"))]
    pub warmup: Option<String>,
    /// Accepted and not used: EBS itself is waited for, no pod reads volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_image: Option<String>,
    /// fio, hybrid, ebs: as warmup says, and EBS itself is waited for. fsr and check-wal-only cannot be had.
    #[serde(default = "hybrid", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub warmup_strategy: Option<String>,
}

#[allow(clippy::unnecessary_wraps)] // serde's default has the field's type.
fn hybrid() -> Option<String> {
    Some("hybrid".to_owned())
}

/// Type and performance.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    /// gp3, io2, ...
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub kind: Option<String>,
    /// IOPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1").message("spec.volume.iops must be at least 1"))]
    pub iops: Option<i32>,
    /// MiB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1").message("spec.volume.throughput must be at least 1"))]
    pub throughput: Option<i32>,
    /// MiB/s at which EBS fetches the data of each volume, 100 to 300; AWS charges for it. Unset: data comes when it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 100 && self <= 300").message("spec.volume.initializationRate must be 100 to 300 MiB/s"))]
    pub initialization_rate: Option<i32>,
}

/// How far a drill goes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DrillSpec {
    /// 1: everything is looked at. 2: volumes are made of all snapshots, and deleted when they are there.
    #[x_kube(validation = Rule::new("self in [1, 2]").message("spec.drill.level must be 1 or 2"))]
    pub level: i32,
}

/// How long steps may take; Go durations like 90m.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TimeoutSpec {
    /// Until all volumes are there. Default 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Until all data is there. Default 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<String>,
    /// Until all TiKV are there. Default 30m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stores: Option<String>,
    /// Elections. Default 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// The roll-back. Default 4h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<String>,
    /// Comparing content. Default 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// A VolumeRestore as it is read; written, like a VolumeBackup, only through the untyped object.
#[derive(Resource, Serialize, Deserialize, Clone, Debug)]
#[resource(inherit = RestoreBase)]
pub struct VolumeRestore {
    /// `apiVersion` and `kind`; absent in the items of a list.
    #[serde(flatten, default)]
    pub types: Option<TypeMeta>,
    /// Name, namespace, uid, annotations, finalizers.
    pub metadata: ObjectMeta,
    /// The wish.
    pub spec: RestoreSpec,
    /// What became of it, as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}
