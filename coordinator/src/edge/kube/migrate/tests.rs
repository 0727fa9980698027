use super::*;
use serde_json::json;

fn template() -> Value {
    json!({"br": {}, "s3": {"provider": "aws", "region": "r", "bucket": "b", "prefix": "p"}})
}

fn clusters(planes: &[&str]) -> Value {
    planes.iter().map(|plane| json!({"k8sClusterName": plane, "tcName": "tc", "tcNamespace": "ns"})).collect()
}

fn schedule(name: &str, cron: &str, pause: bool) -> Value {
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackupSchedule",
        "metadata": {"name": name, "namespace": "br", "uid": format!("u-{name}")},
        "spec": {"schedule": cron, "pause": pause, "backupTemplate": {"clusters": clusters(&["az1", "az2"]), "template": template()}},
    })
}

fn backup(name: &str, phase: &str, owner: Option<&str>) -> Value {
    let owners: Vec<Value> = owner
        .map(|owner| json!({"apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackupSchedule", "name": owner, "uid": "u"}))
        .into_iter()
        .collect();
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {"name": name, "namespace": "br", "uid": format!("u-{name}"), "ownerReferences": owners},
        "spec": {"clusters": clusters(&["az3"]), "template": template()},
        "status": {"phase": phase},
    })
}

fn told(objects: &[Value]) -> (Vec<String>, Vec<String>) {
    let found = migrate(objects, &Zone::utc(), Timestamp(0));
    (found.lines.iter().map(Line::to_string).collect(), found.planes.into_iter().collect())
}

#[test]
fn schedules_are_read_as_they_will_be() {
    let list = json!({"kind": "List", "items": [
        schedule("nightly", "0 3 * * *", false), schedule("late", "0 3 * * *", true), schedule("odd", "*-5 3 * * *", false),
    ]});
    let (lines, planes) = told(&[list]);
    assert_eq!(planes, ["az1", "az2"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "√ VolumeBackupSchedule br/nightly: runs next at 1970-01-01T03:00:00Z");
    assert_eq!(lines[1], "‼ VolumeBackupSchedule br/late: is paused, and stays so");
    assert!(lines[2].starts_with("× VolumeBackupSchedule br/odd: spec.schedule"), "{lines:?}");
}

#[test]
fn backups_are_counted_and_what_a_deleted_schedule_takes_along_is_told() {
    let objects = [
        backup("a", "Complete", Some("nightly")),
        backup("b", "Failed", Some("nightly")),
        backup("c", "Running", None),
        json!({"kind": "Secret", "metadata": {"name": "s"}}),
        json!({"kind": "VolumeBackup", "metadata": {"name": "broken", "namespace": "br"}}),
    ];
    let (lines, planes) = told(&objects);
    assert_eq!(planes, ["az3"]);
    let begins: Vec<&str> = lines.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        begins,
        [
            "‼ Secret",
            "× VolumeBackup br/broken",
            "√ 2 VolumeBackups",
            "‼ 1 VolumeBackups",
            "‼ VolumeBackupSchedule br/nightly"
        ]
    );
    assert!(lines[3].contains("br/c") && lines[3].contains("LeftByOldManager"), "{lines:?}");
    assert!(lines[4].contains("2 of its backups"), "{lines:?}");
}
