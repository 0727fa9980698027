//! The custom resources as users know them (`facts/tidb-operator.md` §1), with our optional additions.
//!
//! - **No status subresource** (§1.1) unless it is asked for: status is written with a plain PUT of the whole object, so
//!   that the CRD stays exchangeable with the one that users have.
//! - `skipGC` is a sibling of `spec`, not part of it (§1.3).
//! - No `null` in a spec: it is pruned before defaults are applied, as with the CRD that users have, so an empty
//!   `br:` counts as missing and an empty `calcSizeLevel:` gets its default.
//! - Rules (CEL) stand on `spec` or deeper, never on the root, and new duties are rules, never `required`: then an
//!   object stored before the rules existed can still change its status and its finalizers, because Kubernetes
//!   (1.30 and later) does not judge again what an update leaves as it was. `required` would not be forgiven.

pub mod restore;
pub mod restore_status;
pub mod schedule;
pub mod spec;
pub mod status;

pub use restore::{
    BackupFolder, DrillSpec, RESTORE_FINALIZER, RESTORE_KIND, RestoreClusterRef, RestoreSpec, RestoreTemplate,
    TimeoutSpec, VolumeRestore, VolumeSpec,
};
pub use schedule::{SCHEDULE_KIND, ScheduleSpec, ScheduleStatus, TierSpec, VolumeBackupSchedule};
pub use spec::{BackupSpec, Barrier, Br, ClusterRef, S3, Template};
pub use status::{BackupStatus, BarrierStatus, CertificateStatus, ConditionStatus, MemberStatus, VerifiedStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresourceStatus, CustomResourceSubresources, JSONSchemaProps,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResourceExt, Resource, core::TypeMeta};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `apiVersion` of a VolumeBackup.
pub const API_VERSION: &str = "federation.pingcap.com/v1alpha1";
/// `kind` of a VolumeBackup.
pub const KIND: &str = "VolumeBackup";
/// Keeps a VolumeBackup until everything that its deletion deletes is gone (`facts/tidb-operator.md` §1.1).
pub const FINALIZER: &str = "tidb.pingcap.com/backup-protection";

const DESCRIPTION: &str =
    "One consistent backup of a TiDB cluster that spans Kubernetes clusters, by EBS volume snapshots.";
const SCHEDULE_DESCRIPTION: &str =
    "Makes VolumeBackups at the times of a cron expression, and decides how long they stay.";
const RESTORE_DESCRIPTION: &str =
    "Brings a backup back into a TiDB cluster that spans Kubernetes clusters, or tries how far that would come.";
const SKIP_GC: &str = "Keeps the backup from the retention of its schedule; not from deletion by hand.";

/// A VolumeBackup as it is read. It is never written back from this type: a write goes through the untyped object, so
/// that fields which we do not know survive it.
#[derive(Resource, Serialize, Deserialize, Clone, Debug)]
#[resource(inherit = spec::Base)]
pub struct VolumeBackup {
    /// `apiVersion` and `kind`; absent in the items of a list.
    #[serde(flatten, default)]
    pub types: Option<TypeMeta>,
    /// Name, namespace, uid, annotations, finalizers.
    pub metadata: ObjectMeta,
    /// Keeps it from the retention of its schedule, and from nothing else.
    #[serde(rename = "skipGC", default)]
    pub skip_gc: bool,
    /// The wish.
    pub spec: BackupSpec,
    /// What became of it, as it stands: whatever somebody wrote there, the wish stays readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}

impl VolumeBackup {
    /// `status.phase`, empty when there is none.
    pub fn phase(&self) -> &str {
        self.status.as_ref().and_then(|status| status.get("phase")).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The CustomResourceDefinitions as YAML: what `coordinator crd` prints and `deploy/crds/` holds, a file each.
pub fn crds() -> String {
    definitions().iter().map(yaml).collect::<Vec<_>>().join("---\n")
}

/// All definitions.
pub fn definitions() -> [CustomResourceDefinition; 3] {
    [volume_backup(), volume_backup_schedule(), volume_restore()]
}

/// One definition as YAML. It is a constant of this program and serialises; the test below would show it if it did not.
pub fn yaml(definition: &CustomResourceDefinition) -> String {
    serde_saphyr::to_string(definition).unwrap_or_default()
}

/// All definitions with a status subresource, as YAML. For installations that no old manager shares: it would write statuses
/// that nobody keeps.
pub fn crds_with_status() -> String {
    let mut all = definitions();
    all.iter_mut().for_each(with_status);
    all.iter().map(yaml).collect::<Vec<_>>().join("---\n")
}

/// Its status is written apart, and says of which generation of the wish it is.
fn with_status(definition: &mut CustomResourceDefinition) {
    for version in &mut definition.spec.versions {
        let status = CustomResourceSubresourceStatus(json!({}));
        version.subresources = Some(CustomResourceSubresources { status: Some(status), ..Default::default() });
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let parts = schema.and_then(|schema| schema.properties.as_mut()?.get_mut("status"));
        let description = "The metadata.generation that this status is about.";
        let generation = json!({"type": "integer", "format": "int64", "description": description});
        if let (Some(status), Ok(generation)) = (parts, serde_json::from_value(generation)) {
            status.properties.get_or_insert_default().insert("observedGeneration".to_owned(), generation);
        }
    }
}

/// The definition of VolumeBackup, after what the derive cannot say.
pub fn volume_backup() -> CustomResourceDefinition {
    let skip_gc = json!({"type": "boolean", "description": SKIP_GC});
    finished(spec::Base::crd(), DESCRIPTION, &[("skipGC", skip_gc)])
}

/// The definition of VolumeBackupSchedule, the same way.
pub fn volume_backup_schedule() -> CustomResourceDefinition {
    finished(schedule::ScheduleBase::crd(), SCHEDULE_DESCRIPTION, &[])
}

/// The definition of VolumeRestore, the same way.
pub fn volume_restore() -> CustomResourceDefinition {
    finished(restore::RestoreBase::crd(), RESTORE_DESCRIPTION, &[])
}

/// No status subresource, no `null` in a spec, and the fields beside `spec` and `status`.
fn finished(
    mut definition: CustomResourceDefinition,
    description: &str,
    more: &[(&str, Value)],
) -> CustomResourceDefinition {
    let Some(version) = definition.spec.versions.first_mut() else {
        return definition;
    };
    version.subresources = None;
    let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
        return definition;
    };
    schema.description = Some(description.to_owned());
    schema.required = Some(vec!["metadata".to_owned(), "spec".to_owned()]);
    let properties = schema.properties.get_or_insert_default();
    if let Some(spec) = properties.get_mut("spec") {
        forbid_null(spec);
    }
    if let Some(status) = properties.get_mut("status") {
        status.nullable = None;
        for part in status.properties.iter_mut().flat_map(|parts| parts.values_mut()) {
            part.default = None;
        }
    }
    let parts = [
        ("apiVersion", json!({"type": "string"})),
        ("kind", json!({"type": "string"})),
        ("metadata", json!({"type": "object"})),
    ];
    for (name, part) in parts.iter().chain(more) {
        if let Ok(part) = serde_json::from_value(part.clone()) {
            properties.insert((*name).to_owned(), part);
        }
    }
    definition
}

/// Takes `nullable` away from a schema and everything in it.
fn forbid_null(schema: &mut JSONSchemaProps) {
    // Through JSON, because a schema nests in a dozen differently typed fields.
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if map.get("nullable").is_some_and(Value::is_boolean) {
                    map.remove("nullable");
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if let Ok(mut value) = serde_json::to_value(&*schema) {
        strip(&mut value);
        if let Ok(stripped) = serde_json::from_value(value) {
            *schema = stripped;
        }
    }
}

#[cfg(test)]
mod tests;
