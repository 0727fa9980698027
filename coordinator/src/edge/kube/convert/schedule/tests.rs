use super::*;
use serde_json::json;
use shared::time::Millis;

/// The three manifests of the user page, as `deploy/` has them.
const EXAMPLES: [&str; 3] = [
    include_str!("../../../../../../deploy/examples/schedule-access-key.yaml"),
    include_str!("../../../../../../deploy/examples/schedule-iam-pod.yaml"),
    include_str!("../../../../../../deploy/examples/schedule-iam-serviceaccount.yaml"),
];

fn read(mut manifest: Value) -> Schedule {
    manifest["metadata"]["uid"] = json!("u1");
    manifest["metadata"]["creationTimestamp"] = json!("2024-05-01T00:00:00Z");
    schedule(&serde_json::from_value(manifest).unwrap(), &Limits::default(), &Zone::utc()).unwrap()
}

/// The first example with changes (`null`: removed).
fn with(changes: &[(&str, Value)]) -> Schedule {
    let mut manifest: Value = serde_saphyr::from_str(EXAMPLES[0]).unwrap();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => parent.remove(field),
            value => parent.insert(field.to_owned(), value.clone()),
        };
    }
    read(manifest)
}

#[test]
fn the_schedules_of_the_user_page_are_understood() {
    for example in EXAMPLES {
        let found = read(serde_saphyr::from_str(example).unwrap());
        assert_eq!(found.key.namespace, "br-admin");
        assert_eq!(found.object.created, Timestamp(1_714_521_600_000));
        assert_eq!(
            found.planes.iter().map(shared::ids::PlaneId::as_str).collect::<Vec<_>>(),
            ["prod-az1", "prod-az2", "prod-az3"]
        );
        let spec = found.object.spec.unwrap();
        assert_eq!((spec.cron.text(), spec.pause), ("0 3 * * *", false));
        assert_eq!(spec.policy.max_reserved, Some(Millis::secs(7 * 86_400)));
        assert_eq!(spec.policy.max_backups, None);
        let role = spec.annotations.get("iam.amazonaws.com/role");
        assert_eq!(role.is_some(), found.key.name == "nightly-pod");
    }
}

#[test]
fn optional_fields_reach_the_scheduler() {
    let found = with(&[
        ("/spec/schedule", json!("TZ=Europe/Berlin 0 3 * * *")),
        ("/spec/pause", json!(true)),
        ("/spec/maxBackups", json!(3)),
        ("/spec/maxFailedBackups", json!(0)),
        ("/spec/tiers", json!({"weekly": 4, "yearly": 2})),
        ("/metadata/labels", json!({"tidb.pingcap.com/backup-schedule-group": "shop"})),
    ]);
    assert_eq!(found.object.group.as_deref(), Some("shop"));
    let spec = found.object.spec.unwrap();
    assert_eq!((spec.cron.zone().name(), spec.pause), ("Europe/Berlin", true));
    assert_eq!((spec.policy.max_backups, spec.policy.max_failed), (Some(3), Some(0)));
    let counts = Tier::ALL.map(|tier| spec.policy.tiers.get(tier));
    assert_eq!(counts, [0, 0, 4, 0, 2]);
    assert_eq!(spec.policy.zone.name(), "Europe/Berlin", "days of tiers are days of the schedule");
    // Not above 0: any number, as ever.
    let unlimited = with(&[("/spec/maxBackups", json!(-1))]).object.spec.unwrap();
    assert_eq!(unlimited.policy.max_backups, None);
}

#[test]
fn what_can_never_work_is_refused_with_all_that_is_wrong() {
    for (changes, reason, words) in [
        (vec![("/spec/schedule", json!("0 25 * * *"))], Reason::SpecInvalid, vec!["spec.schedule: hour"]),
        (vec![("/spec/schedule", json!("0 3 * * 7"))], Reason::SpecInvalid, vec!["day-of-week"]),
        (vec![("/spec/maxReservedTime", json!("7 days"))], Reason::SpecInvalid, vec!["spec.maxReservedTime"]),
        (vec![("/spec/tiers", json!({"daily": -1}))], Reason::SpecInvalid, vec!["spec.tiers.daily"]),
        (vec![("/metadata/name", json!("n".repeat(64)))], Reason::SpecInvalid, vec!["metadata.name"]),
        (
            vec![("/spec/backupTemplate/template/br", Value::Null), ("/spec/schedule", json!("x"))],
            Reason::BrMissing,
            vec!["spec.backupTemplate.template.br is missing", "spec.schedule: 'x' has 1 fields"],
        ),
        (
            vec![("/spec/backupTemplate/clusters", json!([]))],
            Reason::ClustersEmpty,
            vec!["no backup of this schedule can work: spec.backupTemplate.clusters is empty"],
        ),
        (
            vec![("/spec/backupTemplate/template/s3/prefix", json!("a/../b"))],
            Reason::SpecInvalid,
            vec!["spec.backupTemplate.template.s3.prefix is \"a/../b\""],
        ),
    ] {
        let refusal = with(&changes).object.spec.unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal}");
        for word in words {
            assert!(refusal.message.contains(word), "{word}: {refusal}");
        }
    }
    let metadata = ObjectMeta {
        uid: Some("u".to_owned()),
        namespace: Some("n".to_owned()),
        name: Some("x".to_owned()),
        ..ObjectMeta::default()
    };
    let shapeless = unreadable_schedule(&metadata, "missing field `schedule`").unwrap();
    assert!(shapeless.object.spec.unwrap_err().message.contains("missing field `schedule`"));
    let large = "invalid value: integer `99999999999`, expected i32";
    let large = unreadable_schedule(&metadata, large).unwrap().object.spec.unwrap_err();
    assert!(large.message.contains("spec.maxBackups are at most 2147483647"), "{large}");
}

fn full() -> Status {
    Status {
        last_backup: "nightly-2024-05-01t03-00-00".to_owned(),
        last_backup_time: Some(Timestamp(1_714_532_400_000)),
        all_backup_clean_time: Some(Timestamp(1_714_532_401_000)),
        schedule: "0 3 * * *".to_owned(),
        last_success: "nightly-2024-04-30t03-00-00".to_owned(),
        last_success_time: Some(Timestamp(1_714_446_000_000)),
        next_run: Some(Timestamp(1_714_618_800_000)),
        phase: Phase::Waiting,
        message: "the run due since … waits".to_owned(),
        retention_stopped: "retention deletes nothing: …".to_owned(),
    }
}

#[test]
fn a_status_is_read_back_as_it_was_written() {
    for status in [full(), Status::default(), Status { phase: Phase::Invalid, ..full() }] {
        let written = merge_schedule_status(None, &status, Timestamp(0));
        assert_eq!(read_status(&written), status, "{written:#}");
        assert_eq!(merge_schedule_status(Some(&written), &status, Timestamp(9_000)), written, "nothing to write");
    }
    let text = merge_schedule_status(None, &full(), Timestamp(0));
    let stopped = text["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "RetentionStopped").unwrap();
    assert_eq!((&stopped["status"], &stopped["reason"]), (&json!("True"), &json!("ClockSkewed")));
    let over = merge_schedule_status(Some(&text), &Status { retention_stopped: String::new(), ..full() }, Timestamp(1));
    assert!(!over.to_string().contains("RetentionStopped"), "{over}");
    assert_eq!(text["lastBackupTime"], "2024-05-01T03:00:00Z");
    assert_eq!(read_status(&json!({"lastBackupTime": 7, "phase": [], "lastBackup": null})), Status::default());
}

#[test]
fn the_condition_says_why_nothing_runs_and_foreign_parts_stay() {
    let foreign = json!({"type": "Theirs", "status": "True", "lastTransitionTime": null});
    let old = json!({"theirs": 1, "phase": "Active", "lastBackup": "gone", "conditions": [foreign]});
    let invalid =
        Status { phase: Phase::Invalid, message: "SpecInvalid: spec.schedule: no".to_owned(), ..Status::default() };
    let merged = merge_schedule_status(Some(&old), &invalid, Timestamp(1_714_532_400_000));
    assert_eq!((&merged["theirs"], &merged["lastBackup"]), (&json!(1), &Value::Null));
    let ready = json!({
        "type": "Ready", "status": "False", "lastTransitionTime": "2024-05-01T03:00:00Z",
        "reason": "SpecInvalid", "message": "spec.schedule: no",
    });
    assert_eq!(merged["conditions"], json!([foreign, ready]));
    // Its date moves with its value only.
    let paused = Status { phase: Phase::Paused, ..Status::default() };
    let later = merge_schedule_status(Some(&merged), &paused, Timestamp(1_714_532_499_000));
    let condition = &later["conditions"][1];
    assert_eq!(
        (&condition["reason"], &condition["lastTransitionTime"]),
        (&json!("Paused"), &json!("2024-05-01T03:00:00Z"))
    );
    let active = Status { phase: Phase::Active, ..Status::default() };
    let again = merge_schedule_status(Some(&later), &active, Timestamp(1_714_532_499_000));
    assert_eq!(again["conditions"][1]["lastTransitionTime"], "2024-05-01T03:01:39Z");
}
