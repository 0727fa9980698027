//! Schedules of one group never run at the same time.

use crate::fixtures::*;
use shared::{
    retention::Backup,
    schedule::{CreateResult, Effect, Input, Object, ScheduleKey},
};

const HOURLY: &str = "0 * * * *";

fn grouped(group: &str) -> Object {
    Object { group: Some(group.to_owned()), ..object(spec(HOURLY)) }
}

/// Schedules of these names in group "g", none with backups.
fn group(wall: &str, names: &[&str]) -> (Bench, Vec<String>) {
    let mut bench = Bench::new(wall);
    for name in names {
        bench.told(name, grouped("g"));
        bench.listed(name, vec![]);
    }
    let effects = bench.feed(Input::Synced);
    (bench, short(&effects))
}

fn of(schedule: &str, stamp: &str, state: shared::retention::BackupState) -> Backup {
    backup(&format!("{schedule}-{stamp}"), state)
}

#[test]
fn of_two_that_are_due_one_begins_and_the_other_follows() {
    let (mut bench, first) = group("2024-05-01T01:00:00Z", &["a", "b"]);
    assert_eq!(first, ["create a-2024-05-01t01-00-00"]);
    assert_eq!(bench.status("b").message, "the run due since 2024-05-01T01:00:00Z waits for schedule a of its group");
    assert_eq!(bench.status("b").phase.as_str(), "Waiting");
    bench.created("a", "a-2024-05-01t01-00-00", CreateResult::Created);
    assert_eq!(short(&bench.listed("a", vec![of("a", "2024-05-01t01-00-00", RUNNING)])), Vec::<String>::new());
    assert_eq!(
        short(&bench.listed("a", vec![of("a", "2024-05-01t01-00-00", COMPLETE)])),
        ["create b-2024-05-01t01-00-00"]
    );
    // When both are due again, the one that ran longer ago goes first, although the other asks first.
    bench.created("b", "b-2024-05-01t01-00-00", CreateResult::Created);
    bench.listed("b", vec![of("b", "2024-05-01t01-00-00", RUNNING)]);
    bench.until("2024-05-01T02:30:00Z");
    assert_eq!(
        short(&bench.listed("b", vec![of("b", "2024-05-01t01-00-00", COMPLETE)])),
        ["create a-2024-05-01t02-00-00"]
    );
}

#[test]
fn the_one_that_ran_longest_ago_begins_first() {
    let mut bench = Bench::new("2024-05-03T01:00:00Z");
    for (name, stamp) in [("a", "2024-05-02t02-00-00"), ("b", "2024-05-02t01-00-00"), ("c", "2024-05-02t03-00-00")] {
        bench.told(name, grouped("g"));
        bench.listed(name, vec![of(name, stamp, COMPLETE)]);
    }
    bench.feed(Input::Synced);
    // The first look found what ran; the next one goes by it.
    let begun: Vec<_> =
        bench.machine.view().into_iter().filter(|view| view.status.phase.as_str() == "Active").collect();
    assert_eq!(begun.len(), 1);
    let first = begun[0].key.name.clone();
    bench.created(&first, &format!("{first}-2024-05-03t01-00-00"), CreateResult::Created);
    let ended = bench.listed(&first, vec![of(&first, "2024-05-03t01-00-00", COMPLETE)]);
    let expected = if first == "b" { "a" } else { "b" };
    assert_eq!(short(&ended), [format!("create {expected}-2024-05-03t01-00-00")]);
}

#[test]
fn a_mate_that_is_not_listed_may_be_running() {
    let mut bench = Bench::new("2024-05-01T01:00:00Z");
    bench.told("a", grouped("g"));
    bench.listed("a", vec![]);
    bench.told("b", grouped("g"));
    assert_eq!(short(&bench.feed(Input::Synced)), Vec::<String>::new());
    assert_eq!(short(&bench.listed("b", vec![of("b", "2024-05-01t00-30-00", RUNNING)])), Vec::<String>::new());
    assert_eq!(short(&bench.listed("b", vec![])), ["create a-2024-05-01t01-00-00"]);
}

#[test]
fn other_groups_and_namespaces_do_not_wait() {
    let mut bench = Bench::new("2024-05-01T01:00:00Z");
    let elsewhere = ScheduleKey { namespace: "other".to_owned(), name: "a".to_owned() };
    bench.told("a", grouped("g"));
    bench.told("b", grouped("h"));
    bench.told("c", object(spec(HOURLY)));
    bench.feed(Input::Schedule { key: elsewhere.clone(), object: Box::new(grouped("g")) });
    for name in ["a", "b", "c"] {
        bench.listed(name, vec![]);
    }
    bench.feed(Input::Backups { key: elsewhere, backups: vec![] });
    let created = bench.feed(Input::Synced);
    assert_eq!(created.iter().filter(|effect| matches!(effect, Effect::Create(_))).count(), 4);
}

#[test]
fn leaving_the_group_and_going_altogether_let_the_next_begin() {
    let (mut bench, _) = group("2024-05-01T01:00:00Z", &["a", "b", "c"]);
    bench.created("a", "a-2024-05-01t01-00-00", CreateResult::Created);
    bench.listed("a", vec![of("a", "2024-05-01t01-00-00", RUNNING)]);
    // Paused or invalid, its backup runs on.
    let mut paused = spec(HOURLY);
    paused.pause = true;
    assert_eq!(short(&bench.told("a", Object { spec: Ok(paused), ..grouped("g") })), Vec::<String>::new());
    assert_eq!(short(&bench.told("a", grouped("elsewhere"))), ["create b-2024-05-01t01-00-00"]);
    bench.created("b", "b-2024-05-01t01-00-00", CreateResult::Created);
    assert_eq!(short(&bench.feed(Input::ScheduleGone(key("b")))), ["create c-2024-05-01t01-00-00"]);
}
