use super::*;
use shared::{
    schedule::{ScheduleKey, backup_name, run_annotations, run_labels},
    time::Timestamp,
};

/// 2024-05-01T03:00:00Z.
const AT: Timestamp = Timestamp(1_714_532_400_000);

fn schedule(delete_too: bool) -> Value {
    json!({
        "apiVersion": API_VERSION, "kind": SCHEDULE_KIND,
        "metadata": {"name": "nightly", "namespace": "br-admin", "uid": "u1"},
        "spec": {
            "schedule": "0 3 * * *", "deleteBackupsWithSchedule": delete_too,
            "backupTemplate": {
                "clusters": [{"k8sClusterName": "az1", "tcName": "t", "tcNamespace": "n"}],
                "template": {"br": {}, "s3": {"provider": "aws", "bucket": "shop-bk", "prefix": "vol"}, "notOurs": 1},
            },
        },
    })
}

fn new() -> NewBackup {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    NewBackup {
        key: ScheduleKey { namespace: "br-admin".to_owned(), name: "nightly".to_owned() },
        schedule_uid: "u1".to_owned(),
        name: backup_name("nightly", AT),
        fire: AT,
        labels: run_labels("nightly", &map(&[("team", "shop"), ("app.kubernetes.io/name", "mine")])),
        annotations: run_annotations(&map(&[("iam.amazonaws.com/role", "arn:aws:iam::123456789012:role/r")])),
    }
}

#[test]
fn a_run_is_named_labelled_and_placed_as_today() {
    let made = backup(&schedule(false), &new());
    assert_eq!((&made["apiVersion"], &made["kind"]), (&json!(API_VERSION), &json!("VolumeBackup")));
    assert_eq!(
        made["metadata"],
        json!({
            "name": "nightly-2024-05-01t03-00-00", "namespace": "br-admin",
            "labels": {
                "team": "shop",
                "app.kubernetes.io/name": "backup-schedule",
                "app.kubernetes.io/managed-by": "backup-schedule-operator",
                "app.kubernetes.io/instance": "nightly",
                "tidb.pingcap.com/backup-schedule": "nightly",
            },
            "annotations": {
                "iam.amazonaws.com/role": "arn:aws:iam::123456789012:role/r",
                "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
                "argocd.argoproj.io/sync-options": "Prune=false",
            },
        })
    );
    let mut spec = schedule(false)["spec"]["backupTemplate"].clone();
    spec["template"]["s3"]["prefix"] = json!("vol/-2024-05-01t03-00-00");
    assert_eq!(made["spec"], spec, "everything else is the template's, known to us or not");
    assert!(is_ours(&made, &new()));
    assert!(!is_ours(&json!({"metadata": {"name": "nightly-2024-05-01t03-00-00"}}), &new()));
}

#[test]
fn a_backup_has_an_owner_only_where_the_schedule_says_so() {
    assert!(backup(&schedule(false), &new())["metadata"]["ownerReferences"].is_null());
    let owned = backup(&schedule(true), &new());
    let owner = &owned["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["name"], &owner["uid"]),
        (&json!(SCHEDULE_KIND), &json!("nightly"), &json!("u1"))
    );
    assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
}
