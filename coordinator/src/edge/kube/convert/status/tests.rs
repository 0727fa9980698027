use super::*;
use crate::kit::{START, record};
use serde_json::json;
use shared::{
    barrier::{BarrierTimes, CertificatePlane, Step, Verdict},
    epoch::Epoch,
    ids::ClusterId,
    tiling::Tiling,
    wire::CleanReport,
};
use std::{collections::BTreeMap, sync::Arc};

fn certified() -> Record {
    let mut record = record();
    record.stage = Stage::Certified;
    record.epoch = Epoch(7);
    record.commit_ts = Some(Ts(449_462_718_912_512_000));
    record.certificate = Some(Certificate {
        verdict: Verdict::Consistent,
        backup: "u1".into(),
        name: "br-admin/nightly".to_owned(),
        attempt: 1,
        epoch: Epoch(7),
        cluster: ClusterId(7_365_000_000_000_000_001),
        commit_ts: Ts(449_462_718_912_512_000),
        gc_hold: Ts(449_462_718_000_000_000),
        gc_safe_point: Ts(449_462_718_000_000_000),
        pd_min_resolved_ts: Ts(449_462_718_912_512_000),
        ts_ceiling: None,
        regions: 42,
        tiling: Tiling::default(),
        planes: BTreeMap::<PlaneId, CertificatePlane>::new(),
        made_at: Timestamp(START + 100_000),
    });
    record.times.snapshots_created = Some(Timestamp(START + 162_000));
    record.barrier = BarrierTimes { settle: Some(Millis(812)), reach: Some(Millis(1_204)), hold: Some(Millis(2_020)) };
    for (plane, ts) in [("az1", 449_462_718_912_512_000), ("az2", 449_462_718_938_726_401)] {
        record.planes.get_mut(&PlaneId::from(plane)).unwrap().least_safe_ts = Some(Ts(ts));
    }
    record
}

fn complete() -> Record {
    let mut record = certified();
    record.stage = Stage::Complete;
    record.times.completed = Some(Timestamp(START + 964_000));
    for plane in record.planes.values_mut() {
        plane.completed_bytes = Some(1_099_511_627_776);
    }
    record
}

fn view(record: Record) -> Status {
    let step = Step::Complete;
    Status::Barrier(Arc::new(View {
        record,
        step,
        clock: None,
        planes: BTreeMap::new(),
        waiting_for: String::new(),
        alarms: Vec::new(),
    }))
}

fn status(record: Record) -> Value {
    merge_status(None, &view(record), Timestamp(START + 9_000_000))
}

fn types(status: &Value) -> Vec<&str> {
    status["conditions"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect()
}

#[test]
fn a_complete_backup_reads_as_the_user_page_shows_it() {
    let row = |plane: &str, ts: &str| {
        json!({
            "backupName": format!("fed-nightly-{plane}"),
            "backupPath": format!("s3://shop-bk/vol-{plane}"),
            "backupSize": 1_099_511_627_776_u64,
            "commitTs": ts,
            "k8sClusterName": plane,
            "phase": "Complete",
            "tcName": format!("shop-{plane}"),
            "tcNamespace": "tidb",
        })
    };
    let condition = |kind: &str, at: &str| json!({"type": kind, "status": "True", "lastTransitionTime": at});
    assert_eq!(
        status(complete()),
        json!({
            "phase": "Complete",
            "timeStarted": "2024-05-01T03:00:20Z",
            "timeCompleted": "2024-05-01T03:16:24Z",
            "timeTaken": "16m4s",
            "backupSize": 2_199_023_255_552_u64,
            "backupSizeReadable": "2.2 TB",
            "commitTs": "449462718912512000",
            "backups": [row("az1", "449462718912512000"), row("az2", "449462718938726401")],
            "conditions": [
                condition("Running", "2024-05-01T03:00:20Z"),
                condition("SnapshotsCreated", "2024-05-01T03:03:02Z"),
                condition("Complete", "2024-05-01T03:16:24Z"),
            ],
            "barrier": {"attempt": 1, "epoch": 7, "step": "Complete", "settle_limit_ms": 120_000, "reach_limit_ms": 120_000, "hold_limit_ms": 60_000, "settle_ms": 812, "reach_ms": 1204, "hold_ms": 2020},
            "certificate": {
                "verdict": "Consistent", "attempt": 1, "epoch": 7, "clusterId": "7365000000000000001",
                "commitTs": "449462718912512000", "gcSafePoint": "449462718000000000",
                "regions": 42, "stores": 0, "snapshots": 0, "madeAt": "2024-05-01T03:02:00Z",
            },
        })
    );
}

#[test]
fn every_stage_has_the_phase_that_users_know() {
    let failed = |mut record: Record, stage| {
        record.stage = stage;
        record.failure = Some(Refusal::new(Reason::HoldTimedOut, "store 4 of plane az1 answered late"));
        record.times.completed = Some(Timestamp(START + 5_000));
        record
    };
    let with = |mut record: Record, stage| {
        record.stage = stage;
        record
    };
    let mut dirty = with(complete(), Stage::Cleaning);
    dirty.clean_failure = Some("snap-1: AccessDenied".to_owned());
    dirty.times.clean_failed = Some(Timestamp(START + 2_000_000));
    let mut clean = with(dirty.clone(), Stage::Cleaned);
    clean.clean_failure = None;
    clean.times.cleaned = Some(Timestamp(START + 3_000_000));
    let cases = [
        (record(), "Running", "Prepare", vec!["Running"]),
        (with(record(), Stage::Barrier), "Running", "Running", vec!["Running"]),
        (with(record(), Stage::Snapshotting), "Running", "Running", vec!["Running"]),
        (with(record(), Stage::Aborting), "Running", "VolumeBackupFailed", vec!["Running"]),
        (certified(), "SnapshotsCreated", "VolumeBackupSnapshotsCreated", vec!["Running", "SnapshotsCreated"]),
        (failed(record(), Stage::Failed), "Failed", "Failed", vec!["Running", "Failed"]),
        (failed(certified(), Stage::Failed), "Failed", "Failed", vec!["Running", "SnapshotsCreated", "Failed"]),
        (with(complete(), Stage::Cleaning), "Complete", "Clean", vec!["Running", "SnapshotsCreated", "Complete"]),
        (failed(record(), Stage::Cleaning), "Failed", "Clean", vec!["Running", "Failed"]),
        (dirty, "CleanFailed", "Clean", vec!["Running", "SnapshotsCreated", "Complete", "CleanFailed"]),
        (clean, "Cleaned", "Clean", vec!["Running", "SnapshotsCreated", "Complete", "CleanFailed", "Cleaned"]),
    ];
    for (record, phase, row, conditions) in cases {
        let what = format!("{:?}", record.stage);
        let status = status(record);
        assert_eq!(
            (status["phase"].as_str(), status["backups"][0]["phase"].as_str()),
            (Some(phase), Some(row)),
            "{what}"
        );
        assert_eq!(types(&status), conditions, "{what}");
    }
}

#[test]
fn a_failure_says_why_what_to_do_and_promises_no_moment() {
    let mut record = record();
    record.stage = Stage::Failed;
    record.commit_ts = Some(Ts(449_462_718_912_512_000));
    record.planes.get_mut(&PlaneId::from("az1")).unwrap().least_safe_ts = Some(Ts(449_462_718_912_512_000));
    record.failure = Some(Refusal::new(Reason::HoldTimedOut, "instance i-1 of plane az1 answered late."));
    record.times.completed = Some(Timestamp(START + 5_000));
    let status = status(record);
    let message = "instance i-1 of plane az1 answered late. See which instance was slow; raise barrier.holdTimeout if EC2 is healthy.";
    for place in [&status["conditions"][1], &status["backups"][0], &status["backups"][1]] {
        assert_eq!((&place["reason"], &place["message"]), (&json!("HoldTimedOut"), &json!(message)));
    }
    assert_eq!((status.get("commitTs"), status["backups"][0].get("commitTs")), (None, None));
    assert_eq!(status["timeTaken"], "5s");
}

#[test]
fn what_is_not_known_yet_is_null_or_absent_as_users_know_it() {
    let status = status(record());
    assert_eq!(status.get("timeCompleted"), Some(&Value::Null));
    for absent in ["timeTaken", "backupSize", "backupSizeReadable", "commitTs", "certificate", "alarms"] {
        assert_eq!(status.get(absent), None, "{absent}");
    }
}

#[test]
fn the_same_record_never_changes_a_status_that_was_written() {
    let mut invalid = merge_status(None, &Status::Invalid(Refusal::new(Reason::BrMissing, "x")), Timestamp(START));
    let again = merge_status(Some(&invalid), &Status::Invalid(Refusal::new(Reason::BrMissing, "x")), Timestamp(0));
    assert_eq!(invalid, again);
    assert_eq!(invalid["conditions"][0]["lastTransitionTime"], "2024-05-01T03:00:20Z");
    assert_eq!(invalid["phase"], "Invalid");

    // Our conditions follow the record (the spec was corrected; somebody applied an old status); others stay.
    let stranger = json!({"type": "Stranger", "status": "False", "lastTransitionTime": null});
    invalid["conditions"].as_array_mut().unwrap().push(stranger);
    invalid["conditions"].as_array_mut().unwrap().push(json!({"type": "Complete", "status": "True"}));
    invalid["note"] = json!("kept");
    let once = merge_status(Some(&invalid), &view(record()), Timestamp(1));
    assert_eq!(types(&once), ["Stranger", "Running"]);
    assert_eq!(once["note"], "kept");
    assert_eq!(merge_status(Some(&once), &view(record()), Timestamp(2)), once);
}

#[test]
fn leftovers_stand_in_the_row_of_their_plane() {
    let mut record = complete();
    record.stage = Stage::Cleaning;
    let left = vec!["snap-1: AccessDenied".to_owned(), "x".repeat(5_000)];
    let report = CleanReport { snapshots: 1, objects: 2, left };
    record.planes.get_mut(&PlaneId::from("az2")).unwrap().cleaned = Some(report);
    let status = status(record);
    assert_eq!(status["backups"][0].get("reason"), None);
    assert_eq!(
        (&status["backups"][1]["phase"], &status["backups"][1]["reason"]),
        (&json!("CleanFailed"), &json!("CleanFailed"))
    );
    let message = status["backups"][1]["message"].as_str().unwrap();
    assert!(message.starts_with("snap-1: AccessDenied; x") && message.ends_with("...") && message.len() <= MAX_TEXT);
}

/// I9: what is not proved consistent is told in status, and counted.
#[test]
fn a_weaker_certificate_is_marked_and_counted() {
    let mut record = complete();
    record.certificate.as_mut().unwrap().verdict = Verdict::Weaker;
    let shown = status(record.clone());
    assert_eq!(types(&shown), ["Running", "SnapshotsCreated", "Weaker", "Complete"]);
    assert_eq!(shown["certificate"]["verdict"], "Weaker");
    let weaker = &shown["conditions"][2];
    assert_eq!((&weaker["status"], &weaker["reason"]), (&json!("True"), &json!("StoresNotHeldInFull")));
    assert!(weaker["message"].as_str().unwrap().contains("too old"), "{weaker}");

    let metrics = crate::metrics::Metrics::new();
    let counted = |metrics: &crate::metrics::Metrics| {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry()).unwrap();
        text.lines().find(|line| line.starts_with("isochron_weaker_certificates_total")).unwrap().to_owned()
    };
    record.stage = Stage::Certified;
    for (verdict, total) in [(Verdict::Consistent, 0), (Verdict::Weaker, 1)] {
        record.request.backup = format!("{verdict:?}").as_str().into();
        record.certificate.as_mut().unwrap().verdict = verdict;
        let Status::Barrier(view) = view(record.clone()) else { unreachable!() };
        metrics.viewed(&view);
        metrics.viewed(&view);
        assert_eq!(counted(&metrics), format!("isochron_weaker_certificates_total {total}"));
    }
}
