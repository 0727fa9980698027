//! What an admin reads.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{certificate, record};
use shared::{
    barrier::{Clock, LastRefusal, Phase, PlaneView},
    reason::Reason,
    time::Millis,
};

const NOW: Instant = Instant(1_000_000);

fn view(uid: &str, namespace: &str, name: &str) -> View {
    let mut record = record();
    (record.request.backup, record.request.namespace, record.request.name) =
        (uid.into(), namespace.to_owned(), name.to_owned());
    let (clock, planes, waiting_for, alarms) = Default::default();
    View { record, phase: Phase::Completing, clock, planes, waiting_for, alarms }
}

fn object(uid: &str, namespace: &str, name: &str) -> Object {
    Object {
        published: None,
        clean_policy: None,
        created: shared::time::Timestamp(0),
        uid: uid.into(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        deleting: false,
        finalizer: false,
        phase: String::new(),
        request: Err(missing()),
        cancel: false,
        try_again: String::new(),
        abandoned: Vec::new(),
        scheduled: None,
    }
}

fn missing() -> Refusal {
    Refusal::new(Reason::S3Missing, "spec.template.s3 is missing")
}

fn snapshot<'a>(views: &'a [View], invalid: &'a [Object], refusal: &'a Refusal) -> Snapshot<'a> {
    Snapshot {
        drains: Vec::new(),
        waiting: Vec::new(),
        orphans: Vec::new(),
        ready: true,
        now: NOW,
        prices: crate::config::Prices::default(),
        planes: vec![PlaneSeen {
            name: "az1",
            session: None,
            last_seen: Some(Timestamp(1_714_532_420_000)),
            ends: Some((Timestamp(1_714_532_420_000), 12)),
        }],
        views: views.iter().collect(),
        ended: Vec::new(),
        invalid: invalid.iter().map(|object| (object, refusal)).collect(),
        claims: Vec::new(),
    }
}

fn asked(views: &[View], invalid: &[Object], question: &Question) -> Answered {
    let refusal = missing();
    let snapshot = snapshot(views, invalid, &refusal);
    let body = serde_json::to_vec(question).unwrap();
    let question = super::super::question(&body).unwrap();
    serde_json::from_str(&text(&answer(&snapshot, "test", &question))).unwrap()
}

fn ok(answered: Answered) -> Value {
    let Answered::Ok(value) = answered else { panic!("{answered:?}") };
    value
}

#[test]
fn an_invalid_object_is_found_by_each_of_its_names() {
    let invalid = [object("u7", "ops", "weekly")];
    for name in ["weekly", "ops/weekly", "u7"] {
        for question in [Question::Why { name: name.to_owned() }, Question::Show { name: name.to_owned() }] {
            let value = ok(asked(&[], &invalid, &question));
            assert_eq!((&value["step"], &value["reason"]), (&json!("Invalid"), &json!("S3Missing")), "{name}");
        }
    }
    let Answered::Error(error) = asked(&[], &invalid, &Question::Why { name: "br/weekly".to_owned() }) else {
        panic!("there is none")
    };
    assert!(error.contains("no VolumeBackup called br/weekly"), "{error}");
}

#[test]
fn a_name_in_two_namespaces_is_listed_and_not_guessed() {
    let views = [view("u1", "br", "nightly")];
    let invalid = [object("u2", "ops", "nightly")];
    let Answered::Error(error) = asked(&views, &invalid, &Question::Why { name: "nightly".to_owned() }) else {
        panic!("one was guessed")
    };
    assert_eq!(error, "nightly is in several namespaces; say which: br/nightly, ops/nightly");
    let value = ok(asked(&views, &invalid, &Question::Why { name: "ops/nightly".to_owned() }));
    assert_eq!(value["step"], "Invalid");
    let value = ok(asked(&views, &invalid, &Question::Why { name: "br/nightly".to_owned() }));
    assert_eq!(value["step"], "Completing");
}

#[test]
fn rows_have_verdict_reason_and_the_clock_as_it_is_now() {
    let mut weaker = view("u1", "br", "nightly");
    weaker.record.certificate = Some(certificate(Verdict::Weaker));
    let refusal = Refusal::new(Reason::AccessDenied, "s3:PutObject");
    let last = LastRefusal { refusal, since: Timestamp(5), tries: 1, again: Some(NOW + Millis::secs(7)) };
    let live = PlaneView { owes: true, refused: Some(last), ..PlaneView::default() };
    weaker.planes.insert("az1".into(), live);
    weaker.clock = Some((Clock::HoldsEnd, NOW + Millis::secs(3)));
    let rows = ok(asked(std::slice::from_ref(&weaker), &[], &Question::Backups));
    let row = &rows[0];
    assert_eq!((&row["verdict"], &row["reason"]), (&json!("Weaker"), &json!("AccessDenied")));
    assert_eq!((&row["clock"], &row["left_ms"]), (&json!("HoldsEnd"), &json!(3_000)));
    let shown = ok(asked(&[weaker], &[], &Question::Show { name: "nightly".to_owned() }));
    assert_eq!(shown["clock"], json!({ "name": "HoldsEnd", "left_ms": 3_000 }));
    assert_eq!(shown["trace"].as_str().unwrap().len(), 32);
    assert_eq!(shown["planes"]["az1"]["refused"]["again_ms"], 7_000);
    assert_eq!(shown["record"]["certificate"]["verdict"], "Weaker");
}

#[test]
fn a_plane_that_is_away_was_last_seen() {
    let planes = ok(asked(&[], &[], &Question::Planes));
    assert_eq!((&planes[0]["connected"], &planes[0]["lastSeen"]), (&json!(false), &json!("2024-05-01T03:00:20Z")));
    assert_eq!((&planes[0]["certificateEnds"], &planes[0]["daysLeft"]), (&json!("2024-05-01T03:00:20Z"), &json!(12)));
}

/// What has ended or never began is not cancelled, and a name that two have is not guessed.
#[test]
fn only_what_runs_is_cancelled() {
    let mut ended = view("u2", "ns", "old");
    ended.phase = Phase::Failed;
    let views = [view("u1", "ns", "nightly"), ended, view("u3", "a", "twice"), view("u4", "b", "twice")];
    let (refusal, invalid) = (missing(), [object("u5", "ns", "bad")]);
    let snapshot = snapshot(&views, &invalid, &refusal);
    let cancelled = |name: &str| backup_to_cancel(&snapshot, name).map(|uid| uid.0);
    assert_eq!(cancelled("nightly"), Ok("u1".to_owned()));
    assert_eq!(cancelled("b/twice"), Ok("u4".to_owned()));
    for (name, part) in [
        ("old", "is Failed: there is nothing to cancel"),
        ("twice", "a/twice"),
        ("bad", "has never begun"),
        ("no", "no"),
    ] {
        let error = cancelled(name).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let unread = Snapshot { ready: false, ..snapshot };
    assert!(backup_to_cancel(&unread, "nightly").unwrap_err().contains("not read its ledger"));
}
