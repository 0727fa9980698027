use super::{super::merge_status, *};
use crate::{
    fixtures::{START, certified, complete, record},
    ports::Status,
};
use serde_json::{Value, json};
use shared::{
    barrier::{LastRefusal, Phase, PlaneView, Record, Verdict},
    reason::Reason,
};
use std::collections::BTreeMap;

fn told(old: Option<&Value>, record: Record, phase: Phase, blocked: Option<Reason>, now: i64) -> (Value, Value) {
    let refused = blocked.map(|reason| LastRefusal {
        refusal: Refusal::new(reason, "no"),
        since: Timestamp(START),
        tries: 1,
        again: None,
    });
    let live = PlaneView { connected: true, owes: true, refused, ..PlaneView::default() };
    let (waiting_for, alarms) = Default::default();
    let planes = BTreeMap::from([("az1".into(), live)]);
    let view = View { record, phase, clock: None, planes, waiting_for, alarms };
    let status = merge_status(old, &Status::Barrier(view.into()), Timestamp(now));
    (of(&status), status)
}

fn of(status: &Value) -> Value {
    let all: Vec<_> = status["conditions"].as_array().unwrap().iter().filter(|one| one["type"] == SUCCEEDED).collect();
    assert_eq!(all.len(), 1, "{status:#}");
    all[0].clone()
}

#[test]
fn it_is_there_from_the_first_look_on_and_changes_when_the_backup_ends() {
    let (started, ended) = ("2024-05-01T03:00:20Z", "2024-05-01T03:16:24Z");
    let with = |mut record: Record, milestone| {
        record.milestone = milestone;
        record
    };
    let failing = |milestone, ended| {
        let mut record = with(record(), milestone);
        record.failure = Some(Refusal::new(Reason::HoldTimedOut, "store 4 answered late."));
        record.times.completed = ended;
        record
    };
    let weaker = {
        let mut record = complete();
        record.certificate.as_mut().unwrap().verdict = Verdict::Weaker;
        record
    };
    let over = Some(Timestamp(START + 5_000));
    for (record, phase, blocked, status, reason, since) in [
        (record(), Phase::Preparing, None, "Unknown", "Preparing", started),
        (record(), Phase::Covering, None, "Unknown", "Covering", started),
        (certified(), Phase::Completing, Some(Reason::AccessDenied), "Unknown", "AccessDenied", started),
        // Another attempt may follow.
        (failing(Milestone::Aborting, None), Phase::Aborting, None, "Unknown", "HoldTimedOut", started),
        (failing(Milestone::Failed, over), Phase::Failed, None, "False", "HoldTimedOut", "2024-05-01T03:00:25Z"),
        (complete(), Phase::Complete, None, "True", "Consistent", ended),
        (weaker, Phase::Complete, None, "True", "Weaker", ended),
        (with(complete(), Milestone::Cleaning), Phase::Cleaning, None, "True", "Consistent", ended),
        (with(record(), Milestone::Cleaning), Phase::Cleaning, None, "Unknown", "Cleaning", started),
    ] {
        let what = format!("{phase:?} {reason}");
        let (shown, whole) = told(None, record.clone(), phase, blocked, START + 9_000_000);
        assert_eq!((&shown["status"], &shown["reason"]), (&json!(status), &json!(reason)), "{what}");
        assert_eq!(shown["lastTransitionTime"], since, "{what}");
        for one in whole["conditions"].as_array().unwrap() {
            assert!(one["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "a reason in every one: {one}");
        }
        // Looked at again, nothing has changed.
        assert_eq!(told(Some(&whole), record, phase, blocked, START + 10_000_000).1, whole, "{what}");
    }
}

#[test]
fn an_object_that_can_never_work_has_failed_until_it_is_mended() {
    let refusal = || Refusal::new(Reason::ClustersEmpty, "spec.clusters is empty");
    let invalid = merge_status(None, &Status::Without("Invalid", refusal()), Timestamp(START));
    let shown = of(&invalid);
    assert_eq!((&shown["status"], &shown["reason"]), (&json!("False"), &json!("ClustersEmpty")));
    assert_eq!(
        merge_status(Some(&invalid), &Status::Without("Invalid", refusal()), Timestamp(START + 60_000)),
        invalid
    );
    let (mended, _) = told(Some(&invalid), record(), Phase::Preparing, None, START);
    assert_eq!(mended["status"], "Unknown");
    // What cannot be cleaned may have ended well.
    let (_, good) = told(None, complete(), Phase::Complete, None, START);
    let kept = merge_status(Some(&good), &Status::Without("CleanFailed", refusal()), Timestamp(START));
    assert_eq!(of(&kept)["status"], "True");
}
