//! For each refusal in each step `why` names the true cause, and says what ends the wait.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{certificate, record};
use shared::{
    barrier::{Milestone, PlaneView, Record},
    ids::PlaneId,
    reason::Reason,
    time::{Millis, Timestamp},
    wire::CleanReport,
};
use std::collections::BTreeMap;

const NOW: Instant = Instant(1_000_000);

fn view(record: Record, step: Phase) -> View {
    let live = PlaneView { connected: true, owes: true, ..PlaneView::default() };
    let planes = BTreeMap::from([("az1".into(), live.clone()), ("az2".into(), live)]);
    View { record, phase: step, clock: None, planes, waiting_for: "answers of planes".to_owned(), alarms: Vec::new() }
}

fn refuse(view: &mut View, plane: &str, reason: Reason) {
    let refusal = Refusal::new(reason, "s3:PutObject on shop-bk");
    let last = LastRefusal { refusal, since: Timestamp(5), tries: 2, again: Some(NOW + Millis::secs(90)) };
    view.planes.get_mut(&PlaneId::from(plane)).unwrap().refused = Some(last);
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_default()
}

#[test]
fn every_refusal_in_every_step_is_named_with_what_to_do() {
    let steps =
        [Phase::Releasing, Phase::Completing, Phase::Aborting, Phase::Recovering, Phase::Failed, Phase::Cleaning];
    for step in steps {
        for reason in Reason::ALL {
            let mut view = view(record(), step);
            refuse(&mut view, "az2", *reason);
            let answer = why(&view, NOW);
            assert_eq!(text(&answer, "reason"), reason.as_str(), "{step:?}");
            assert_eq!(text(&answer, "message"), "plane az2: s3:PutObject on shop-bk");
            assert_eq!(text(&answer, "action"), reason.action());
            let row = &answer["planes"][1];
            assert_eq!(text(row, "refused"), format!("{reason}: s3:PutObject on shop-bk"));
            assert_eq!(row["again_ms"], 90_000);
        }
    }
}

#[test]
fn where_nothing_ends_a_wait_it_says_so_and_who_can() {
    for (step, who) in [
        (Phase::Completing, "cancelling or deleting"),
        (Phase::Failed, "abandon-planes"),
        (Phase::Cleaning, "abandon-planes"),
    ] {
        let mut refused = view(record(), step);
        refuse(&mut refused, "az2", Reason::AccessDenied);
        let mut away = view(record(), step);
        away.planes.get_mut(&PlaneId::from("az1")).unwrap().connected = false;
        for (view, named) in [(refused, "a try on az2"), (away, "the return of az1")] {
            let answer = why(&view, NOW);
            let ends = text(&answer, "endsBy");
            assert!(ends.starts_with("Nothing by itself") && ends.contains(named) && ends.contains(who), "{ends}");
            assert!(!text(&answer, "action").contains("clock"), "{answer}");
        }
    }
    let claiming = why(&view(record(), Phase::Claiming), NOW);
    assert!(text(&claiming, "endsBy").contains("the other backup"), "{claiming}");
    assert_eq!(why(&view(record(), Phase::Complete), NOW)["endsBy"], Value::Null);
}

#[test]
fn the_clock_is_that_of_the_answer() {
    let mut view = view(record(), Phase::Preparing);
    view.clock = Some((Clock::Connect, NOW + Millis(59_971)));
    assert_eq!(why(&view, NOW)["clock"], json!({ "name": "Connect", "left_ms": 59_971 }));
    let later = NOW + Millis::secs(31);
    assert_eq!(why(&view, later)["clock"], json!({ "name": "Connect", "left_ms": 28_971 }));
    assert!(text(&why(&view, later), "endsBy").starts_with("The clock"));
}

#[test]
fn only_a_proof_is_called_one() {
    for verdict in [Verdict::Consistent, Verdict::Weaker] {
        let mut record = record();
        record.milestone = Milestone::Complete;
        record.certificate = Some(certificate(verdict));
        let answer = why(&view(record, Phase::Complete), NOW);
        assert_eq!(text(&answer, "verdict"), verdict.as_str());
        let action = text(&answer, "action");
        assert_eq!(action.contains("proven consistent"), verdict == Verdict::Consistent, "{action}");
        assert_eq!(action.contains(Verdict::Weaker.meaning()), verdict == Verdict::Weaker, "{action}");
    }
}

#[test]
fn a_failure_and_its_clean_up_are_both_told() {
    let mut failed = record();
    failed.milestone = Milestone::Failed;
    failed.failure = Some(Refusal::new(Reason::HoldTimedOut, "hold limit of 60 s ran out"));
    failed.clean_failure = Some("plane az2: AccessDenied: ec2:DeleteSnapshot".to_owned());
    let notes = vec!["backup.lock was not there".to_owned()];
    failed.planes.get_mut(&PlaneId::from("az1")).unwrap().cleaned = Some(CleanReport { notes, ..Default::default() });
    let mut view = view(failed, Phase::Failed);
    refuse(&mut view, "az2", Reason::AccessDenied);
    let answer = why(&view, NOW);
    assert_eq!(text(&answer, "reason"), "HoldTimedOut");
    assert_eq!(text(&answer, "cleanFailure"), "plane az2: AccessDenied: ec2:DeleteSnapshot");
    assert_eq!(answer["notes"], json!(["plane az1: backup.lock was not there"]));
    let action = text(&answer, "action");
    assert!(action.starts_with(Reason::HoldTimedOut.action()) && action.ends_with(Reason::AccessDenied.action()));
}
