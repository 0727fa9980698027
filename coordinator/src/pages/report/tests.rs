//! What an auditor files, and that nothing in it acts.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    config::Prices,
    console::{Answered, Question, Snapshot, answer},
    fixtures::{proven, record},
};
use serde_json::json;
use shared::{barrier::Barrier, reason::Reason, time::Instant};

fn shown(record: Record) -> Value {
    let view = Barrier::new(record).view();
    let snapshot = Snapshot {
        ready: true,
        now: Instant(0),
        prices: Prices::default(),
        planes: Vec::new(),
        views: vec![&view],
        ended: Vec::new(),
        drains: Vec::new(),
        waiting: Vec::new(),
        orphans: Vec::new(),
        invalid: Vec::new(),
        claims: Vec::new(),
    };
    let Answered::Ok(value) = answer(&snapshot, "test", &Question::Show { name: "nightly".to_owned() }) else {
        panic!("no answer")
    };
    value
}

#[test]
fn it_says_what_was_proved_and_holds_the_certificate() {
    let record = proven();
    let page = report(&shown(record.clone())).unwrap();
    for text in [
        "<p class=\"verdict good\">CONSISTENT</p>",
        "The certificate proves one consistent moment.",
        "9 of 9 holds unbroken",
        "<svg",
        "snap-231",
        "raft-engine.dir",
        "3.3 TB",
        "s3://shop-bk/vol-az1",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let link = page.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    let certificate = record.certificate.unwrap().to_json(&record.barrier, &record.moments);
    assert_eq!(String::from_utf8(BASE64_STANDARD.decode(link).unwrap()).unwrap(), certificate);
    for outside in ["http://", "https://", "<script", "<img", "url(", "@import", "<link"] {
        let without = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!without.contains(outside), "{outside}");
    }
}

#[test]
fn a_failure_says_why_and_what_to_do() {
    let mut failed = record();
    failed.milestone = Milestone::Failed;
    failed.failure = Some(Refusal::new(Reason::HoldTimedOut, "az2 <b>was</b> late"));
    let page = report(&shown(failed)).unwrap();
    for text in [">FAILED<", "HoldTimedOut", "az2 &lt;b&gt;was&lt;/b&gt; late", Reason::HoldTimedOut.action()] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("CONSISTENT") && !page.contains("<h2>Evidence"), "{page}");
}

#[test]
fn one_that_never_began_has_a_report_too() {
    let page = report(&json!({
        "step": "Invalid", "reason": "S3Missing", "message": "<i>", "action": "Write it.",
    }));
    let page = page.unwrap();
    assert!(page.contains("INVALID") && page.contains("&lt;i&gt;") && page.contains("Write it."), "{page}");
    assert!(report(&json!({"step": "Complete"})).unwrap_err().contains("of one version"));
}
