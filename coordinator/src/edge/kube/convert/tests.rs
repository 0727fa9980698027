use super::*;
use serde_json::{Value, json};
use shared::time::Timestamp;

/// The three manifests of the user page, its placeholders filled.
const PAGE: [&str; 3] = [
    "    br:
      sendCredToTikv: true
    s3:
      provider: aws
      secretName: s3-secret
      region: us-west-2
      bucket: shop
      prefix: my-folder
    toolImage: pingcap/br:v7.5.1
    cleanPolicy: Delete
    calcSizeLevel: full
",
    "    br:
      sendCredToTikv: false
    s3:
      provider: aws
      region: us-west-2
      bucket: shop
      prefix: my-folder
    toolImage: pingcap/br:v7.5.1
    cleanPolicy: Delete
    calcSizeLevel: full
",
    "    br:
      sendCredToTikv: false
    s3:
      provider: aws
      region: us-west-2
      bucket: shop
      prefix: my-folder
    toolImage: pingcap/br:v7.5.1
    serviceAccount: tidb-backup-manager
    cleanPolicy: Delete
    calcSizeLevel: full
",
];

const ROLE: &str = "arn:aws:iam::123456789012:role/role-name";

fn page(number: usize) -> Value {
    let annotations =
        if number == 1 { format!("  annotations:\n    iam.amazonaws.com/role: {ROLE}\n") } else { String::new() };
    let text = format!(
        "---
apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata:
  name: backup1
{annotations}spec:
  clusters:
  - k8sClusterName: k8s1
    tcName: tc1
    tcNamespace: ns1
  - k8sClusterName: k8s2
    tcName: tc2
    tcNamespace: ns2
  template:
{}",
        PAGE[number]
    );
    let mut manifest: Value = serde_saphyr::from_str(&text).unwrap();
    manifest["metadata"]["namespace"] = json!("default");
    manifest["metadata"]["uid"] = json!("u1");
    manifest
}

fn converted(manifest: Value) -> Object {
    object(&serde_json::from_value(manifest).unwrap(), &Limits::default()).unwrap()
}

#[test]
fn the_manifests_of_the_user_page_are_understood() {
    let credentials = [
        Credentials::Secret("s3-secret".to_owned()),
        Credentials::Role(ROLE.to_owned()),
        Credentials::ServiceAccount("tidb-backup-manager".to_owned()),
    ];
    for (number, credentials) in credentials.into_iter().enumerate() {
        let object = converted(page(number));
        let request = object.request.unwrap();
        assert_eq!((object.namespace.as_str(), object.name.as_str(), object.deleting), ("default", "backup1", false));
        let members: Vec<_> =
            request.members.iter().map(|m| (m.plane.as_str(), m.tc_name.as_str(), m.tc_namespace.as_str())).collect();
        assert_eq!(members, [("k8s1", "tc1", "ns1"), ("k8s2", "tc2", "ns2")]);
        assert_eq!(request.storage.of_plane(&"k8s1".into()).path(), "s3://shop/my-folder-k8s1");
        assert!(request.storage.force_path_style);
        assert_eq!(request.credentials, credentials);
        assert_eq!(request.clean_policy, CleanPolicy::Delete);
        assert_eq!(request.size_level, SizeLevel::Full);
        assert_eq!(request.delete_ratio_milli, 1000);
        assert_eq!(request.limits, Limits::default());
        assert_eq!(request.retry_within, None);
        assert!(!request.allow_weaker_holds, "old TiKV is refused unless the user says otherwise");
    }
}

/// The page's first manifest with one pointer replaced (`null`: removed).
fn with(changes: &[(&str, Value)]) -> Result<Request, Refusal> {
    let mut manifest = page(0);
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => parent.remove(field),
            value => parent.insert(field.to_owned(), value.clone()),
        };
    }
    converted(manifest).request
}

#[test]
fn what_can_never_work_is_refused_with_its_reason() {
    let cluster = |name: &str| json!({"k8sClusterName": name, "tcName": "t", "tcNamespace": "n"});
    type Case = (Vec<(&'static str, Value)>, Reason, &'static str);
    let cases: Vec<Case> = vec![
        (vec![("/spec/clusters", Value::Null)], Reason::ClustersEmpty, "spec.clusters is empty"),
        (vec![("/spec/clusters", json!([]))], Reason::ClustersEmpty, "spec.clusters is empty"),
        (
            vec![("/spec/clusters", json!([cluster("a"), cluster("b"), cluster("a")]))],
            Reason::PlaneDuplicate,
            "spec.clusters[2] names \"a\" a second time",
        ),
        (
            vec![("/spec/clusters", json!([{"k8sClusterName": "a", "tcName": "t"}]))],
            Reason::SpecInvalid,
            "spec.clusters[0].tcNamespace is empty",
        ),
        (vec![("/spec/template/br", Value::Null)], Reason::BrMissing, "spec.template.br is missing"),
        (vec![("/spec/template/s3", Value::Null)], Reason::S3Missing, "spec.template.s3 is missing"),
        (
            vec![("/spec/template/s3", Value::Null), ("/spec/template/gcs", json!({"bucket": "b"}))],
            Reason::StorageUnsupported,
            "spec.template.gcs cannot hold a volume-snapshot backup",
        ),
        (vec![("/spec/template/s3/bucket", json!(""))], Reason::SpecInvalid, "spec.template.s3.bucket is empty"),
        (
            vec![("/spec/template/s3/endpoint", json!("minio:9000"))],
            Reason::SpecInvalid,
            "spec.template.s3.endpoint is \"minio:9000\"; it must begin with http:// or https://",
        ),
        (
            vec![("/spec/template/cleanPolicy", json!("delete"))],
            Reason::SpecInvalid,
            "spec.template.cleanPolicy is \"delete\"; it must be Retain, OnFailure or Delete",
        ),
        (
            vec![("/spec/template/volumeBackupInitJobMaxActiveSeconds", json!(0))],
            Reason::SpecInvalid,
            "spec.template.volumeBackupInitJobMaxActiveSeconds is 0; it must be at least 1",
        ),
        (
            vec![("/spec/barrier", json!({"holdTimeout": "2h"}))],
            Reason::SpecInvalid,
            "spec.barrier.holdTimeout is \"2h\"; write a duration like 90s or 1m30s, from 1ms up to 1h0m0s",
        ),
        (
            vec![("/spec/template", Value::Null)],
            Reason::BrMissing,
            "spec.template.br is missing; spec.template.s3 is missing",
        ),
    ];
    for (changes, reason, message) in cases {
        let refusal = with(&changes).unwrap_err();
        assert_eq!((refusal.reason, refusal.message.as_str()), (reason, message), "{changes:?}");
    }
}

#[test]
fn optional_fields_have_the_defaults_that_users_know() {
    let request = with(&[
        ("/spec/template/cleanPolicy", Value::Null),
        ("/spec/template/calcSizeLevel", Value::Null),
        ("/spec/template/s3/secretName", json!("")),
        ("/spec/template/s3/provider", json!("alibaba")),
        ("/spec/template/snapshotsDeleteRatio", json!(2.5)),
    ])
    .unwrap();
    assert_eq!(request.clean_policy, CleanPolicy::Retain);
    assert_eq!(request.size_level, SizeLevel::All);
    assert_eq!(request.credentials, Credentials::Default);
    assert!(!request.storage.force_path_style);
    assert_eq!(request.delete_ratio_milli, 1000);

    let request = with(&[
        ("/spec/template/calcSizeLevel", json!("{snapshot-size-calculation-level}")),
        ("/spec/template/s3/forcePathStyle", json!(false)),
        ("/spec/template/snapshotsDeleteRatio", json!(0.1)),
        ("/spec/template/volumeBackupInitJobMaxActiveSeconds", json!(90)),
        (
            "/spec/barrier",
            json!({"settleTimeout": "1m30s", "reachTimeout": "45s", "holdTimeout": "500ms", "retryWithin": "2h", "safeTsMaxAge": "5m", "allowWeakerHolds": true}),
        ),
    ])
    .unwrap();
    assert_eq!(request.size_level, SizeLevel::None);
    assert!(!request.storage.force_path_style);
    assert_eq!(request.delete_ratio_milli, 100);
    assert_eq!(request.retry_within, Some(Millis::secs(7200)));
    assert!(request.allow_weaker_holds);
    let spec = request.member_spec(&request.members[0].plane).unwrap();
    assert!(spec.allow_weaker_holds, "planes are told");
    let expected = Limits {
        settle: Millis::secs(90),
        reach: Millis::secs(45),
        hold: Millis(500),
        total: Millis::secs(90),
        safe_ts_age: Millis::secs(300),
        ..Limits::default()
    };
    assert_eq!(request.limits, expected);
}

#[test]
fn metadata_tells_deletion_cancellation_and_abandoned_planes() {
    let mut manifest = page(0);
    manifest["metadata"]["deletionTimestamp"] = json!("2024-05-01T03:00:20Z");
    manifest["metadata"]["finalizers"] = json!(["other", FINALIZER]);
    manifest["metadata"]["annotations"] =
        json!({CANCEL_ANNOTATION: "true", TRY_AGAIN_ANNOTATION: " 10:05 ", ABANDON_ANNOTATION: " a, b ,"});
    manifest["status"] = json!({"phase": "Failed", "backups": 3});
    let object = converted(manifest);
    assert!(object.deleting && object.finalizer && object.cancel);
    assert_eq!(object.try_again, "10:05");
    assert_eq!(object.abandoned, [PlaneId::from("a"), PlaneId::from("b")]);
    assert_eq!(object.phase, "Failed");
}

#[test]
fn lengths_and_sizes_are_written_as_go_writes_them() {
    for (ms, text) in [
        (0, "0s"),
        (499, "0s"),
        (500, "1s"),
        (45_000, "45s"),
        (60_000, "1m0s"),
        (964_000, "16m4s"),
        (3_603_000, "1h0m3s"),
    ] {
        assert_eq!(go_duration(Millis(ms)), text);
    }
    for (text, ms) in [
        ("0", Some(0)),
        ("90s", Some(90_000)),
        ("1h2m3.5s", Some(3_723_500)),
        ("1.5h", Some(5_400_000)),
        (".5s", Some(500)),
        ("999us", Some(0)),
        ("1500\u{b5}s", Some(1)),
        ("", None),
        ("s", None),
        ("10", None),
        ("-1s", None),
        ("1d", None),
        ("1 s", None),
        (".s", None),
        ("1.2.3s", None),
        ("9999999999999999999h", None),
        ("99999999999999999999999999s", None),
    ] {
        assert_eq!(duration::parse(text, Units::Go).ok(), ms.map(Millis), "{text:?}");
    }
}

#[test]
fn a_schedules_backup_tells_schedule_and_retention_what_they_need() {
    use shared::retention::BackupState;
    let scheduled = |phase: &str, verdict: Option<&str>| {
        let mut manifest = page(0);
        let metadata = &mut manifest["metadata"];
        metadata["labels"] = json!({"tidb.pingcap.com/backup-schedule": "nightly"});
        metadata["annotations"] = json!({"isochron.pingcap.com/on-hold": "true"});
        metadata["creationTimestamp"] = json!("2024-05-01T03:00:00Z");
        metadata["deletionTimestamp"] = json!("2024-05-01T04:00:00Z");
        manifest["skipGC"] = json!(true);
        manifest["status"] = json!({"phase": phase, "uid": "u1"});
        if let Some(verdict) = verdict {
            manifest["status"]["certificate"] = json!({"verdict": verdict});
        }
        converted(manifest).scheduled.unwrap()
    };
    let one = scheduled("Running", None);
    assert_eq!(
        (one.schedule.as_str(), one.backup.name.as_str(), one.backup.uid.as_str()),
        ("nightly", "backup1", "u1")
    );
    assert!(one.backup.skip_gc && one.backup.on_hold);
    assert_eq!(one.backup.created, Timestamp(1_714_532_400_000));
    assert_eq!(one.backup.deleting, Some(Timestamp(1_714_536_000_000)));
    let (consistent, weaker) = (Some("Consistent"), Some("Weaker"));
    for (phase, verdict, state) in [
        ("", None, BackupState::Running),
        ("SnapshotsCreated", consistent, BackupState::Running),
        // Anybody can write a verdict there: only the ledger's counts.
        ("Complete", consistent, BackupState::Complete { proven: false }),
        ("Complete", weaker, BackupState::Complete { proven: false }),
        // The old manager's.
        ("Complete", None, BackupState::Complete { proven: false }),
        ("Failed", None, BackupState::Failed),
        ("Invalid", None, BackupState::Failed),
        // While it is deleted: it has ended, and must not hold up the next run.
        ("CleanFailed", consistent, BackupState::Complete { proven: false }),
        ("CleanFailed", weaker, BackupState::Complete { proven: false }),
        ("CleanFailed", None, BackupState::Failed),
    ] {
        assert_eq!(scheduled(phase, verdict).backup.state, state, "{phase}");
    }
    assert_eq!(converted(page(0)).scheduled, None);
}

#[test]
fn options_of_the_old_jobs_are_understood_or_told() {
    let options =
        json!(["--s3.sse-kms-key-id=k", "--s3.role-arn=arn:aws:iam::1:role/r", "--s3.external-id=x", "--ratelimit=1"]);
    let mut changes =
        vec![("/spec/template/br/options", options), ("/spec/template/s3/bucketOwner", json!("123456789012"))];
    let request = with(&changes).unwrap();
    let storage = &request.storage;
    assert_eq!((storage.sse.as_str(), storage.kms_key.as_str()), ("aws:kms", "k"), "a key goes with its encryption");
    assert_eq!(
        (storage.role.as_ref().unwrap().external_id.as_str(), storage.bucket_owner.as_str()),
        ("x", "123456789012")
    );
    assert_eq!(request.ignored, ["br.options: --ratelimit=1"]);
    changes.push(("/spec/template/s3/sse", json!("AES256")));
    changes.push(("/spec/template/s3/bucketOwner", json!("12345")));
    let refusal = with(&changes).unwrap_err();
    for part in ["a key goes with aws:kms", "spec.template.s3.bucketOwner is \"12345\""] {
        assert!(refusal.message.contains(part), "{refusal}");
    }
    let lonely = with(&[("/spec/template/br/options", json!(["--s3.external-id=x"]))]).unwrap_err();
    assert!(lonely.message.contains("without --s3.role-arn"), "{lonely}");
}

#[test]
fn an_external_id_goes_with_a_role() {
    let of = |number: usize, id: &str| {
        let mut manifest = page(number);
        manifest["metadata"]["annotations"][EXTERNAL_ID_ANNOTATION] = json!(id);
        converted(manifest).request
    };
    let request = of(1, " shop=1 ").unwrap();
    assert_eq!(request.role_external_id, "shop=1");
    assert_eq!(request.member_spec(&"k8s1".into()).unwrap().role_external_id, "shop=1", "planes are told");
    assert!(of(0, "shop").unwrap_err().message.contains("goes with a role"));
    assert!(of(1, "a b").unwrap_err().message.contains("is no external id"));
}
