//! What a control plane has where the old manager ran: custom resources of the same names, made by `kubectl create`, on
//! which fields of ours are dropped. Much smaller than the real ones; names, versions and owner are theirs
//! (`facts/tidb-operator.md` §1).

use serde_json::{Value, json};

/// All definitions, for `kubectl create -f -`.
#[must_use]
pub fn definitions() -> String {
    let backups = definition("VolumeBackup", "volumebackups", "vbk");
    let schedules = definition("VolumeBackupSchedule", "volumebackupschedules", "vbks");
    let restores = definition("VolumeRestore", "volumerestores", "vrt");
    format!("{backups}\n---\n{schedules}\n---\n{restores}")
}

fn definition(kind: &str, plural: &str, short: &str) -> Value {
    let text = json!({"type": "string"});
    let schema = json!({
        "type": "object",
        "properties": {
            "metadata": {"type": "object"},
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "status": {"type": "object", "properties": {"phase": text, "commitTs": text, "lastBackup": text}},
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.federation.pingcap.com")},
        "spec": {
            "group": "federation.pingcap.com",
            "scope": "Namespaced",
            "names": {
                "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase(),
                "shortNames": [short],
            },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": {},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}
