use super::*;
use serde_json::json;

const CREATED: &str = "2024-05-01T03:00:00Z";

fn of(status: Value) -> Option<Published> {
    let backup = json!({
        "metadata": {"name": "b", "namespace": "n", "uid": "u1", "creationTimestamp": CREATED},
        "spec": {}, "status": status,
    });
    published(&serde_json::from_value(backup).unwrap(), &"u1".into())
}

#[test]
fn a_status_counts_only_for_the_object_that_it_was_written_for() {
    let ours = of(json!({"phase": "Complete", "uid": "u1"})).unwrap();
    assert_eq!(ours.by, By::Us { backup: "u1".into() });
    let adopted = of(json!({"phase": "Complete", "uid": "u1", "backupUid": "u0"})).unwrap();
    assert_eq!(adopted.by, By::Us { backup: "u0".into() });
    assert_eq!(of(json!({"phase": "Complete", "uid": "u0", "timeStarted": CREATED})), None, "it came with a copy");
    let older = json!({"phase": "Complete", "timeStarted": CREATED, "barrier": {"attempt": 2}});
    let older = of(older).unwrap();
    assert_eq!((older.by, older.attempt), (By::Us { backup: "u1".into() }, 2), "a version of ours without uids");
}

#[test]
fn the_old_managers_word_counts_if_its_times_fit() {
    let old = |started: &str| of(json!({"phase": "Complete", "timeStarted": started}));
    assert_eq!(old("2024-05-01T03:00:20Z").unwrap().by, By::OldManager);
    assert!(old("2024-05-01T02:59:30Z").is_some(), "its clock was behind");
    assert_eq!(old("2024-05-01T02:40:00Z"), None, "it began before the object was: a copy");
    assert_eq!(of(json!({"phase": "Complete"})), None);
    assert_eq!(of(json!({"phase": "Complete", "timeStarted": null})), None);
    assert_eq!(of(Value::Null), None);
}

#[test]
fn rows_are_read_as_they_stand() {
    let rows = json!([
        {"k8sClusterName": "az1", "backupPath": "s3://b/p-az1", "commitTs": "449462718912512000", "phase": "Complete",
         "backupName": "fed-b", "backupSize": 7},
        {"backupName": "nobody's"}, 3,
    ]);
    let published = of(json!({"phase": "SnapshotsCreated", "timeStarted": CREATED, "backups": rows})).unwrap();
    assert!(published.has_begun() && !published.has_ended());
    let row = PublishedRow {
        plane: "az1".into(),
        path: "s3://b/p-az1".into(),
        commit_ts: Some(Ts(449_462_718_912_512_000)),
        complete: true,
        bytes: 7,
    };
    assert_eq!(published.rows, [row]);
}
