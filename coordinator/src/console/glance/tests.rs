//! What a page is made of.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{complete, proven, record};
use shared::{
    barrier::{Barrier, Record},
    reason::Refusal,
};

fn all<'a>(views: &'a [&'a View], ended: &'a [&'a Summary]) -> Backups<'a> {
    Backups { views, ended, invalid: &[], orphans: 2, waiting: &[] }
}

fn named(name: &str, started: i64, record: Record) -> Record {
    let mut record = record;
    name.clone_into(&mut record.request.name);
    record.times.started = Some(Timestamp(started));
    record
}

fn failed() -> Record {
    let mut record = record();
    record.milestone = Milestone::Failed;
    record.failure = Some(Refusal::new(Reason::HoldTimedOut, "late"));
    record
}

#[test]
fn the_newest_come_first_and_what_runs_stands_apart() {
    let running = Barrier::new(named("now", 9_000, record())).view();
    let measured = Barrier::new(named("d3", 3_000, proven())).view();
    let ended = [named("d1", 1_000, failed()), named("d4", 4_000, complete()), named("d2", 2_000, proven())]
        .map(|one| Summary::of(&one));
    let (views, ended) = ([&running, &measured], ended.iter().collect::<Vec<_>>());
    let told = glance(&all(&views, &ended), Instant(0), 0);
    let names = |field: &str| -> Vec<String> {
        told[field].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("running"), names("backups")),
        (vec!["now".to_owned()], ["d4", "d3", "d2", "d1"].map(str::to_owned).to_vec())
    );
    assert_eq!(told["counts"], json!({ "failed": 1, "proven": 3 }));
    assert_eq!(
        (&told["all"], &told["orphans"], &told["running"][0]["step"]),
        (&json!(4), &json!(2), &json!("Preparing"))
    );
    assert_eq!(told["backups"][3]["reason"], "HoldTimedOut");
}

#[test]
fn ten_thousand_are_a_page_at_a_time() {
    let ended: Vec<Summary> = (0..10_000).map(|n| Summary::of(&named(&format!("b{n}"), n, complete()))).collect();
    let ended: Vec<&Summary> = ended.iter().collect();
    for (from, rows, first) in [(0, ROWS, "b9999"), (60, ROWS, "b9939"), (9_990, 10, "b9"), (20_000, 0, "")] {
        let told = glance(&all(&[], &ended), Instant(0), from);
        assert_eq!(told["backups"].as_array().unwrap().len(), rows);
        assert_eq!(told["backups"][0]["name"].as_str().unwrap_or_default(), first);
        assert_eq!((&told["all"], &told["counts"]["proven"]), (&json!(10_000), &json!(10_000)));
        assert!(told.to_string().len() < 20_000);
    }
}

#[test]
fn a_clock_has_its_limit_and_a_certificate_is_not_taken_for_more_than_it_is() {
    let limits = Limits::default();
    assert_eq!(limit(Clock::Hold, &limits), Some(Millis::secs(60)));
    assert_eq!(limit(Clock::Retry, &limits), None);
    for (milestone, verdict, outcome) in [
        (Milestone::Complete, Some(Verdict::Consistent), "proven"),
        (Milestone::Complete, Some(Verdict::Weaker), "weaker"),
        (Milestone::Complete, None, "weaker"),
        (Milestone::Failed, Some(Verdict::Consistent), "failed"),
        (Milestone::Cleaning, Some(Verdict::Consistent), "leaving"),
    ] {
        assert_eq!(Outcome::of(milestone, verdict).as_str(), outcome, "{milestone:?} {verdict:?}");
    }
}
