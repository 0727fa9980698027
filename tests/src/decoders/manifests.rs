//! VolumeBackups, VolumeBackupSchedules and VolumeRestores, from files and from an API server.

use super::laws::{self, NOW};
use coordinator::{
    edge::{
        kube::{
            convert::{
                merge_restore_status, merge_schedule_status, merge_status, object, restore, schedule, unreadable,
                unreadable_restore, unreadable_schedule,
            },
            crd::{VolumeBackup, VolumeBackupSchedule, VolumeRestore},
        },
        local::documents::{self, Kind},
    },
    ports::{RestoreStatus, Status},
};
use serde_json::{Value, json};
use shared::{
    cron::Zone,
    reason::{Reason, Refusal},
    request::Limits,
    wire::TEXT_MAX,
};

/// A file: every document of it has a place and a name that may be a file's, and written anew it says the same.
pub(super) fn files(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    // YAML also counts a carriage return that stands alone.
    let lines = text.split(['\n', '\r']).count();
    let parsed = match documents::parse(text) {
        Ok(parsed) => parsed,
        Err(fault) => {
            laws::refused(&fault.text);
            assert!((1..=lines).contains(&fault.line), "line {} of {lines}: {}", fault.line, fault.text);
            return false;
        }
    };
    for ignored in &parsed.ignored {
        laws::refused(&ignored.text);
        assert!((1..=lines).contains(&ignored.line), "line {} of {lines}", ignored.line);
    }
    let is_read = parsed.documents.iter().any(|document| document.problem.is_none());
    for document in parsed.documents {
        assert!((1..=lines).contains(&document.line), "line {} of {lines}", document.line);
        let file = format!("{}.{}", document.namespace, document.name);
        assert!(file.len() <= 250 && !file.contains(['/', '\0']) && !file.starts_with('.'), "{file:?}");
        if let Some(problem) = &document.problem {
            laws::refused(problem);
        }
        let text = serde_saphyr::to_string(&document.manifest);
        let text = text.unwrap_or_else(|error| panic!("it cannot be written: {error}: {}", document.manifest));
        let again =
            documents::parse(&text).unwrap_or_else(|fault| panic!("it cannot be read again: {fault:?}\n{text}"));
        let manifests: Vec<&Value> = again.documents.iter().map(|again| &again.manifest).collect();
        assert_eq!(manifests, [&document.manifest], "it comes back as something else\n{text}");
        let mut manifest = document.manifest;
        // As the store in the place of an API server adds them.
        manifest["metadata"] = json!({"name": document.name, "namespace": document.namespace, "uid": "u1"});
        match document.kind {
            Kind::Backup => backup(manifest),
            Kind::Schedule => plan(manifest),
            Kind::Restore => way_back(manifest),
        };
    }
    is_read
}

/// An object in JSON, of any kind.
pub(super) fn objects(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    let (backup, plan, restore) = (backup(value.clone()), plan(value.clone()), way_back(value));
    backup || plan || restore
}

/// A wish that a barrier can start from, or why there is none; and a status that is settled once it is written.
fn backup(value: Value) -> bool {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let known = match serde_json::from_value::<VolumeBackup>(value.clone()) {
        Ok(backup) => object(&backup, &Limits::default()),
        Err(error) => {
            let Ok(metadata) = serde_json::from_value(metadata) else { return false };
            unreadable(&metadata, &error.to_string())
        }
    };
    let Some(known) = known else { return false };
    match &known.request {
        Ok(request) => laws::json(request),
        Err(refusal) => told(refusal),
    }
    let status = Status::Without("Invalid", Refusal::new(Reason::SpecInvalid, "x".repeat(3 * TEXT_MAX)));
    let merged = merge_status(value.get("status"), &status, NOW.wall);
    assert_eq!(merge_status(Some(&merged), &status, NOW.wall), merged, "the same is published twice");
    known.request.is_ok()
}

fn plan(value: Value) -> bool {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let known = match serde_json::from_value::<VolumeBackupSchedule>(value.clone()) {
        Ok(found) => schedule(&found, &Limits::default(), &Zone::utc()),
        Err(error) => {
            let Ok(metadata) = serde_json::from_value(metadata) else { return false };
            unreadable_schedule(&metadata, &error.to_string())
        }
    };
    let Some(known) = known else { return false };
    if let Err(refusal) = &known.object.spec {
        told(refusal);
    }
    let status = &known.object.status;
    let merged = merge_schedule_status(value.get("status"), status, NOW.wall);
    assert_eq!(merge_schedule_status(Some(&merged), status, NOW.wall), merged, "the same is published twice");
    known.object.spec.is_ok()
}

/// A wish that a restore can start from, or why there is none; and a status that is settled once it is written.
fn way_back(value: Value) -> bool {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let known = match serde_json::from_value::<VolumeRestore>(value.clone()) {
        Ok(found) => restore(&found),
        Err(error) => {
            let Ok(metadata) = serde_json::from_value(metadata) else { return false };
            unreadable_restore(&metadata, &error.to_string())
        }
    };
    let Some(known) = known else { return false };
    match &known.request {
        Ok(request) => laws::json(request),
        Err(refusal) => told(refusal),
    }
    let status = RestoreStatus::Without("Invalid", Refusal::new(Reason::SpecInvalid, "x".repeat(3 * TEXT_MAX)));
    let merged = merge_restore_status(value.get("status"), &status, NOW.wall);
    assert_eq!(merge_restore_status(Some(&merged), &status, NOW.wall), merged, "the same is published twice");
    known.request.is_ok()
}

/// It goes into a status, an event, a log and what a console reads.
fn told(refusal: &Refusal) {
    assert!(!refusal.message.is_empty() && refusal.message.len() <= TEXT_MAX, "{}", refusal.message.len());
}
