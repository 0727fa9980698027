//! What a person reads who asks whether a backup would work.
#![allow(clippy::unwrap_used)]

use super::{
    line::{FOUND_MAX, VERSION},
    report::LINES_MAX,
    *,
};
use crate::fixtures::not_in_the_runbook;
use serde_json::{Value, json};
use shared::{
    ids::ClusterId,
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
    wire::{PreflightCheck, Preflighted},
};
use shell::expiry::{Expiry, Kind};

/// 2024-05-01T03:00:20Z
const NOW: Timestamp = Timestamp(1_714_532_420_000);
const DAY: i64 = 86_400_000;

fn control() -> ControlPlane {
    ControlPlane {
        leader: Some("isochron-0".to_owned()),
        leads: Ok(()),
        ledger: Ok(Millis(4)),
        objects: (12, 2),
        expiries: Vec::new(),
    }
}

fn session(version: &str, days: i64) -> Session {
    Session { since: NOW, generation: 3, version: version.to_owned(), ends: Some(Timestamp(NOW.0 + days * DAY)) }
}

fn plane(name: &str, session: Option<Session>) -> OfPlane {
    OfPlane { name: name.to_owned(), needed: true, session, last_seen: Some(NOW), told: None }
}

fn found(what: &str, result: Result<&str, Refusal>, warning: Option<Refusal>) -> PreflightCheck {
    PreflightCheck { what: what.to_owned(), took: Millis(12), result: result.map(str::to_owned), warning }
}

fn heard(checks: Vec<PreflightCheck>, ahead: i64) -> Heard {
    Heard { found: Preflighted { number: 1, checks, at: Some(Timestamp(NOW.0 + ahead)), prepared: None }, at: NOW }
}

fn report(planes: Vec<OfPlane>, subject: Option<Subject>) -> Value {
    Report { now: NOW, control: control(), planes, subject }.value()
}

/// State, reason and page of a check.
fn of<'a>(value: &'a Value, group: &str, what: &str) -> (&'a str, &'a Value, &'a str) {
    let rows = value["checks"].as_array().unwrap();
    let row = rows.iter().rfind(|row| row["group"] == group && row["what"] == what).unwrap();
    (row["state"].as_str().unwrap(), &row["reason"], row["runbook"].as_str().unwrap_or_default())
}

#[test]
fn a_plane_that_is_away_counts_where_it_is_needed() {
    let away = || plane("az2", None);
    let value = report(vec![plane("az1", Some(session(VERSION, 90))), away()], None);
    assert_eq!(value["fine"], false);
    let page = "deploy/runbook.md#planenotconnected";
    assert_eq!(of(&value, "plane az2", "session"), ("refused", &json!("PlaneNotConnected"), page));
    let other = report(vec![OfPlane { needed: false, ..away() }], None);
    assert_eq!(other["fine"], true);
    assert_eq!(of(&other, "plane az2", "session").0, "warning");
}

#[test]
fn another_version_and_a_certificate_that_ends_soon_are_warnings() {
    let value = report(vec![plane("az1", Some(session("0.0.9", 29)))], None);
    assert_eq!(value["fine"], true);
    assert_eq!(of(&value, "plane az1", "version"), ("warning", &Value::Null, "deploy/runbook.md#versions-differ"));
    let page = "deploy/runbook.md#isochroncertificateends";
    assert_eq!(of(&value, "plane az1", "certificate"), ("warning", &json!("PlaneNotConnected"), page));
    let good = report(vec![plane("az1", Some(session(VERSION, 30)))], None);
    assert_eq!(of(&good, "plane az1", "certificate").0, "fine");
}

#[test]
fn the_coordinators_own_certificate_and_ledger_are_looked_at() {
    let own = |kind, days: i64| Expiry {
        identity: "coordinator/isochron".to_owned(),
        kind,
        at: Timestamp(NOW.0 + days * DAY),
    };
    let expiries = vec![own(Kind::Own, 3), own(Kind::Crl, -1), own(Kind::Peer, -1)];
    let ledger = Err("it would take no write: forbidden".to_owned());
    let control = ControlPlane { expiries, ledger, leads: Err("not listed yet".to_owned()), ..control() };
    let value = Report { now: NOW, control, planes: Vec::new(), subject: None }.value();
    assert_eq!(of(&value, "control plane", "certificate").0, "warning");
    assert_eq!(of(&value, "control plane", "revocation list").0, "refused");
    assert_eq!(of(&value, "control plane", "ledger").1, "LedgerLost");
    let page = "deploy/runbook.md#isochronnobodyleads";
    assert_eq!(of(&value, "control plane", "leader"), ("refused", &Value::Null, page));
    assert_eq!(value["checks"].as_array().unwrap().len(), 5, "a peer's certificate stands with its plane");
}

#[test]
fn clocks_are_compared_both_ways() {
    for (ahead, state) in
        [(0, "fine"), (30_000, "fine"), (30_001, "warning"), (-30_001, "warning"), (i64::MIN, "warning")]
    {
        let told = OfPlane { told: Some(Ok(heard(Vec::new(), 0))), ..plane("az1", Some(session(VERSION, 90))) };
        let at = Some(Timestamp(NOW.0.saturating_add(ahead)));
        let mut answer = heard(Vec::new(), 0);
        answer.found.at = at;
        let value = report(vec![OfPlane { told: Some(Ok(answer)), ..told }], None);
        assert_eq!(of(&value, "plane az1", "clock").0, state, "{ahead}");
    }
}

#[test]
fn a_plane_that_does_not_say_what_it_would_prepare_is_told() {
    let lines = |checks| {
        let told = OfPlane { told: Some(Ok(heard(checks, 0))), ..plane("az1", Some(session(VERSION, 90))) };
        report(vec![told], None)
    };
    let earlier = lines(vec![found("PD answers", Ok("here"), None)]);
    assert_eq!(of(&earlier, "plane az1", "preflight"), ("warning", &Value::Null, "deploy/runbook.md#versions-differ"));
    let refused = lines(vec![found("PD answers", Err(Refusal::new(Reason::PdUnavailable, "away")), None)]);
    assert!(refused["checks"].as_array().unwrap().iter().all(|row| row["what"] != "preflight"));
}

#[test]
fn what_a_plane_says_is_cut_and_obeyed_by_no_terminal() {
    let long = "x".repeat(100_000);
    let many = (0..500).map(|_| found("a\u{1b}[2Jcheck", Ok(&long), None)).collect();
    let told = OfPlane { told: Some(Ok(heard(many, 0))), ..plane("az1", Some(session(VERSION, 90))) };
    let planes: Vec<OfPlane> = (0..100).map(|_| told.clone()).collect();
    let value = report(planes, None);
    let checks = value["checks"].as_array().unwrap();
    assert_eq!((checks.len(), value["leftOut"].as_u64()), (LINES_MAX, Some(3 + 100 * 37 - LINES_MAX as u64)));
    assert!(checks.iter().all(|check| check["found"].as_str().unwrap().len() <= FOUND_MAX));
    let text = value.to_string();
    assert!(text.len() < shared::wire::MAX_FRAME_BYTES && !drawn(&value).contains('\u{1b}'), "{}", text.len());
}

#[test]
fn the_planes_together_are_judged_and_a_claim_is_waited_for() {
    let subject = |admitted, claimed_by: Option<&str>| {
        let name = "backup br-admin/nightly".to_owned();
        report(Vec::new(), Some(Subject { name, admitted, claimed_by: claimed_by.map(str::to_owned) }))
    };
    let taken = subject(Ok(Some(ClusterId(7))), Some("backup br-admin/other"));
    assert_eq!((taken["fine"].as_bool(), of(&taken, "backup br-admin/nightly", "claim").0), (Some(true), "warning"));
    let stranger = subject(Err(Refusal::new(Reason::StoreInNoPlane, "store 9")), None);
    assert_eq!(of(&stranger, "backup br-admin/nightly", "planes together").1, "StoreInNoPlane");
    assert_eq!(stranger["fine"], false);
    assert_eq!(subject(Ok(None), None)["checks"].as_array().unwrap().len(), 3, "somebody said already why");
}

#[test]
fn people_see_a_mark_a_reason_and_a_page() {
    let denied = Refusal::new(Reason::AccessDenied, "CreateSnapshots: no");
    let alone = Refusal::new(Reason::AccessDenied, "CreateSnapshot: no");
    let checks = vec![
        found("PD answers", Ok("http://pd:2379"), None),
        found("right to take snapshots", Err(denied), None),
        found("target in S3", Ok("s3://b/p"), Some(alone)),
    ];
    let told = OfPlane { told: Some(Ok(heard(checks, -2))), ..plane("az1", Some(session(VERSION, 90))) };
    let name = "backup br-admin/nightly".to_owned();
    let value = report(vec![told], Some(Subject { name, admitted: Ok(None), claimed_by: None }));
    let text = drawn(&value).replace(VERSION, "1.0");
    let expected = "\
√ control plane  leader                   isochron-0 leads, version 1.0
√ control plane  ledger                   it is read, and would be written (4 ms)
√ control plane  objects                  12 VolumeBackups, 2 VolumeBackupSchedules are seen
√ plane az1      session                  number 3, connected since 2024-05-01T03:00:20Z
√ plane az1      version                  1.0, as the coordinator's
√ plane az1      certificate              the plane's ends 2024-07-30T03:00:20Z, 90 days left
√ plane az1      clock                    2 ms behind the coordinator's
√ plane az1      PD answers               http://pd:2379 (12 ms)
× plane az1      right to take snapshots  CreateSnapshots: no (12 ms)
                                          AccessDenied: Grant the permission that the message names.
                                          see deploy/runbook.md#accessdenied
√ plane az1      target in S3             s3://b/p (12 ms)
‼ plane az1      target in S3             CreateSnapshot: no
                                          AccessDenied: Grant the permission that the message names.
                                          see deploy/runbook.md#accessdenied
backup br-admin/nightly: 11 checks, 1 refused, 1 warning";
    assert_eq!(text.trim_end(), expected);
}

#[test]
fn every_page_that_is_named_is_there() {
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str().to_lowercase());
    let others = ["versions-differ", "isochroncertificateends", "isochronnobodyleads"].map(str::to_owned);
    assert_eq!(not_in_the_runbook(reasons.chain(others)), Vec::<String>::new());
}
