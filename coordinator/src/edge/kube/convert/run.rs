//! What a schedule's backup looks like. Names, labels and prefixes are the scheduler's (`facts/tidb-operator.md` §1.5,
//! §1.7); here they meet the template.

use super::super::crd::{API_VERSION, KIND, SCHEDULE_KIND};
use serde_json::{Map, Value, json};
use shared::schedule::{NewBackup, SCHEDULE_LABEL, scheduled_prefix};

/// The VolumeBackup that `new` asks for, from the whole schedule object.
///
/// It has an owner only if the schedule says `deleteBackupsWithSchedule`: with the owner that the old manager always
/// set, deleting a schedule deletes every backup and, by `cleanPolicy: Delete`, every snapshot.
pub fn backup(schedule: &Value, new: &NewBackup) -> Value {
    let mut spec = schedule["spec"]["backupTemplate"].clone();
    if let Some(s3) = spec.pointer_mut("/template/s3").and_then(Value::as_object_mut) {
        let prefix = s3.get("prefix").and_then(Value::as_str).unwrap_or_default();
        let prefix = scheduled_prefix(prefix, new.fire);
        s3.insert("prefix".to_owned(), Value::from(prefix));
    }
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(new.name));
    metadata.insert("namespace".to_owned(), json!(new.key.namespace));
    metadata.insert("labels".to_owned(), json!(new.labels));
    if !new.annotations.is_empty() {
        metadata.insert("annotations".to_owned(), json!(new.annotations));
    }
    if schedule["spec"]["deleteBackupsWithSchedule"] == true {
        metadata.insert(
            "ownerReferences".to_owned(),
            json!([{
                "apiVersion": API_VERSION, "kind": SCHEDULE_KIND, "name": new.key.name, "uid": new.schedule_uid,
                "controller": true, "blockOwnerDeletion": true,
            }]),
        );
    }
    json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
}

/// Did this schedule make the object that has the name?
pub fn is_ours(object: &Value, new: &NewBackup) -> bool {
    object["metadata"]["labels"][SCHEDULE_LABEL] == new.key.name.as_str()
}

#[cfg(test)]
mod tests;
