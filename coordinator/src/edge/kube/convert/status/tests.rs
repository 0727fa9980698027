use super::{super::words::MAX_TEXT, *};
use crate::fixtures::{START, certified, complete, record};
use serde_json::json;
use shared::{
    barrier::{LastRefusal, Phase, PlaneView, Verdict},
    ids::PlaneId,
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc};

fn view(record: Record) -> Status {
    let step = Phase::Complete;
    Status::Barrier(Arc::new(View {
        record,
        phase: step,
        clock: None,
        planes: BTreeMap::new(),
        waiting_for: String::new(),
        alarms: Vec::new(),
    }))
}

/// az2 refuses what the step asks of it.
fn blocked(record: Record, step: Phase, refusal: Refusal) -> Value {
    let last = LastRefusal { refusal, since: Timestamp(START + 200_000), tries: 3, again: None };
    let live = PlaneView { connected: true, owes: true, refused: Some(last), ..PlaneView::default() };
    let Status::Barrier(view) = view(record) else { unreachable!() };
    let view = View { phase: step, planes: BTreeMap::from([("az2".into(), live)]), ..(*view).clone() };
    merge_status(None, &Status::Barrier(view.into()), Timestamp(START + 9_000_000))
}

fn status(record: Record) -> Value {
    merge_status(None, &view(record), Timestamp(START + 9_000_000))
}

/// All but the one that is always there.
fn types(status: &Value) -> Vec<&str> {
    let all = status["conditions"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap());
    all.filter(|kind| *kind != SUCCEEDED).collect()
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
    let condition = |kind: &str, reason: &str, at: &str| json!({"type": kind, "status": "True", "reason": reason, "lastTransitionTime": at});
    assert_eq!(
        status(complete()),
        json!({
            "uid": "u1",
            "phase": "Complete",
            "timeStarted": "2024-05-01T03:00:20Z",
            "timeCompleted": "2024-05-01T03:16:24Z",
            "timeTaken": "16m4s",
            "backupSize": 2_199_023_255_552_u64,
            "backupSizeReadable": "2.2 TB",
            "commitTs": "449462718912512000",
            "backups": [row("az1", "449462718912512000"), row("az2", "449462718938726401")],
            "conditions": [
                condition("Running", "Started", "2024-05-01T03:00:20Z"),
                condition("SnapshotsCreated", "BarrierReleased", "2024-05-01T03:03:02Z"),
                condition("Complete", "Consistent", "2024-05-01T03:16:24Z"),
                condition("Succeeded", "Consistent", "2024-05-01T03:16:24Z"),
            ],
            "barrier": {"attempt": 1, "traceId": "6bd16bc8e4718e9ee4c5a63bd64eec19", "epoch": 7, "step": "Complete", "settle_limit_ms": 120_000, "reach_limit_ms": 120_000, "hold_limit_ms": 60_000, "settle_ms": 812, "reach_ms": 1204, "hold_ms": 2020},
            "certificate": {
                "verdict": "Consistent", "attempt": 1, "epoch": 7, "clusterId": "7365000000000000001",
                "commitTs": "449462718912512000", "gcSafePoint": "449462718000000000",
                "regions": 42, "stores": 0, "snapshots": 0, "madeAt": "2024-05-01T03:02:00Z",
            },
        })
    );
}

#[test]
fn a_row_quotes_no_other_plane() {
    let mut record = crate::fixtures::record();
    record.milestone = Milestone::Failed;
    record.failure = Some(Refusal::new(Reason::AccessDenied, "plane az1: ec2:CreateSnapshots is denied"));
    let status = status(record);
    let message = |row: usize| status["backups"][row]["message"].as_str().unwrap();
    assert!(message(0).contains("ec2:CreateSnapshots"), "{status:#}");
    assert_eq!(message(1), "ended because of az1: see its row");
    assert_eq!(status["backups"][1]["reason"], "AccessDenied");
}

#[test]
fn options_without_effect_are_told_for_good() {
    let mut record = complete();
    record.request.ignored = vec!["br.options: --ratelimit=1".to_owned()];
    let status = status(record);
    let told = status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "OptionsIgnored").unwrap();
    assert_eq!((told["status"].as_str(), told["reason"].as_str()), (Some("True"), Some("NotUnderstood")));
    assert!(told["message"].as_str().unwrap().contains("br.options: --ratelimit=1"), "{told}");
    assert_eq!((status["phase"].as_str(), types(&status)[0]), (Some("Complete"), "Running"));
}

#[test]
fn every_stage_has_the_phase_that_users_know() {
    let failed = |mut record: Record, milestone| {
        record.milestone = milestone;
        record.failure = Some(Refusal::new(Reason::HoldTimedOut, "store 4 of plane az1 answered late"));
        record.times.completed = Some(Timestamp(START + 5_000));
        record
    };
    let with = |mut record: Record, milestone| {
        record.milestone = milestone;
        record
    };
    let mut dirty = with(complete(), Milestone::Cleaning);
    dirty.clean_failure = Some("snap-1: AccessDenied".to_owned());
    dirty.times.clean_failed = Some(Timestamp(START + 2_000_000));
    let mut clean = with(dirty.clone(), Milestone::Cleaned);
    clean.clean_failure = None;
    clean.times.cleaned = Some(Timestamp(START + 3_000_000));
    let cases = [
        (record(), "Running", "Prepare", vec!["Running"]),
        (with(record(), Milestone::Barrier), "Running", "Running", vec!["Running"]),
        (with(record(), Milestone::Snapshotting), "Running", "Running", vec!["Running"]),
        (with(record(), Milestone::Aborting), "Running", "VolumeBackupFailed", vec!["Running"]),
        (certified(), "SnapshotsCreated", "VolumeBackupSnapshotsCreated", vec!["Running", "SnapshotsCreated"]),
        (failed(record(), Milestone::Failed), "Failed", "Failed", vec!["Running", "Failed"]),
        (failed(certified(), Milestone::Failed), "Failed", "Failed", vec!["Running", "SnapshotsCreated", "Failed"]),
        (with(complete(), Milestone::Cleaning), "Complete", "Clean", vec!["Running", "SnapshotsCreated", "Complete"]),
        (failed(record(), Milestone::Cleaning), "Failed", "Clean", vec!["Running", "Failed"]),
        (dirty, "CleanFailed", "Clean", vec!["Running", "SnapshotsCreated", "Complete", "CleanFailed"]),
        (clean, "Cleaned", "Clean", vec!["Running", "SnapshotsCreated", "Complete", "CleanFailed", "Cleaned"]),
    ];
    for (record, phase, row, conditions) in cases {
        let what = format!("{:?}", record.milestone);
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
    record.milestone = Milestone::Failed;
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
    let mut invalid =
        merge_status(None, &Status::Without("Invalid", Refusal::new(Reason::BrMissing, "x")), Timestamp(START));
    let again =
        merge_status(Some(&invalid), &Status::Without("Invalid", Refusal::new(Reason::BrMissing, "x")), Timestamp(0));
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
    record.milestone = Milestone::Cleaning;
    let left = format!("left over: snap-1: AccessDenied; {}", "x".repeat(5_000));
    let status = blocked(record, Phase::Cleaning, Refusal::new(Reason::CleanFailed, left));
    assert_eq!(status["backups"][0].get("reason"), None);
    assert_eq!(
        (&status["backups"][1]["phase"], &status["backups"][1]["reason"]),
        (&json!("CleanFailed"), &json!("CleanFailed"))
    );
    let message = status["backups"][1]["message"].as_str().unwrap();
    assert!(
        message.starts_with("CleanFailed: left over: snap-1: AccessDenied; x")
            && message.ends_with("...")
            && message.len() <= MAX_TEXT
    );
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
    record.milestone = Milestone::Certified;
    for (verdict, total) in [(Verdict::Consistent, 0), (Verdict::Weaker, 1)] {
        record.request.backup = format!("{verdict:?}").as_str().into();
        record.certificate.as_mut().unwrap().verdict = verdict;
        let Status::Barrier(view) = view(record.clone()) else { unreachable!() };
        metrics.viewed(&view, Timestamp(0));
        metrics.viewed(&view, Timestamp(0));
        assert_eq!(counted(&metrics), format!("isochron_weaker_certificates_total {total}"));
    }
}

/// The last error of a step that goes on until it succeeds.
#[test]
fn a_refusal_is_told_for_as_long_as_it_blocks() {
    let denied = || Refusal::new(Reason::AccessDenied, "s3:PutObject on shop-bk: denied");
    let shown = blocked(certified(), Phase::Completing, denied());
    assert_eq!(types(&shown), ["Running", "SnapshotsCreated", "Blocked"]);
    assert_eq!(
        shown["conditions"][2],
        json!({
            "type": "Blocked", "status": "True", "lastTransitionTime": "2024-05-01T03:03:40Z",
            "reason": "AccessDenied", "message": "plane az2: AccessDenied: s3:PutObject on shop-bk: denied",
        })
    );
    let row = &shown["backups"][1];
    let advised = "s3:PutObject on shop-bk: denied. Grant the permission that the message names.";
    assert_eq!((&row["reason"], &row["message"]), (&json!("AccessDenied"), &json!(advised)));
    assert_eq!(shown["backups"][0].get("reason"), None);
    // Over: nothing of it stays.
    let after = merge_status(Some(&shown), &view(certified()), Timestamp(START + 9_000_000));
    assert_eq!(types(&after), ["Running", "SnapshotsCreated"]);
    assert_eq!(after["backups"][1].get("reason"), None);
}

#[test]
fn a_failed_attempt_that_cannot_be_cleaned_says_so() {
    let mut record = record();
    record.milestone = Milestone::Failed;
    record.failure = Some(Refusal::new(Reason::HoldTimedOut, "hold limit of 60 s ran out"));
    record.times.completed = Some(Timestamp(START + 100_000));
    record.times.clean_failed = Some(Timestamp(START + 200_000));
    record.clean_failure = Some("plane az2: AccessDenied: ec2:DeleteSnapshot".to_owned());
    let denied = || Refusal::new(Reason::AccessDenied, "ec2:DeleteSnapshot");
    let shown = blocked(record.clone(), Phase::Failed, denied());
    assert_eq!(
        (&shown["phase"], types(&shown)),
        (&json!("Failed"), vec!["Running", "Failed", "CleanFailed", "Blocked"])
    );
    assert_eq!(shown["backups"][0]["reason"], "HoldTimedOut");
    assert_eq!(shown["backups"][1]["reason"], "CleanFailed");
    assert!(shown["backups"][1]["message"].as_str().unwrap().starts_with("AccessDenied: ec2:DeleteSnapshot. Grant"));
    // A deletion that waits for it is in the phase that the old manager had for this.
    record.deleting = true;
    assert_eq!(blocked(record, Phase::Failed, denied())["phase"], "CleanFailed");
}

#[test]
fn what_a_plane_found_while_cleaning_stands_in_its_row() {
    let mut record = complete();
    record.milestone = Milestone::Cleaned;
    let notes = vec!["backup.lock was not there".to_owned()];
    let report = shared::wire::CleanReport { notes, ..Default::default() };
    record.planes.get_mut(&PlaneId::from("az2")).unwrap().cleaned = Some(report);
    let shown = status(record);
    assert_eq!(shown["backups"][0].get("message"), None);
    assert_eq!(shown["backups"][1]["message"], "backup.lock was not there");
}
