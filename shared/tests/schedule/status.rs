//! The status, and when it is written.

use crate::fixtures::*;
use shared::{
    retention::Backup,
    schedule::{CreateResult, Effect, Input, Object, Phase, Status},
    time::Timestamp,
};

fn saved(effects: &[Effect]) -> Vec<Status> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SaveStatus { status, .. } => Some((**status).clone()),
            Effect::Create(_) | Effect::Delete { .. } | Effect::Event { .. } => None,
        })
        .collect()
}

#[test]
fn it_is_written_when_it_differs_from_what_is_stored() {
    let mut bench = Bench::new("2024-05-01T00:00:00Z");
    bench.told("s", object(spec("0 3 * * *")));
    bench.listed("s", vec![]);
    let first = saved(&bench.feed(Input::Synced));
    let expected = Status {
        schedule: "0 3 * * *".to_owned(),
        next_run: Some(at("2024-05-01T03:00:00Z")),
        phase: Phase::Active,
        ..Status::default()
    };
    assert_eq!(first, std::slice::from_ref(&expected));
    assert_eq!(saved(&bench.listed("s", vec![])), []);
    // The object is read again: as written, then without it (the write was lost).
    let stored = |status| Object { status, ..object(spec("0 3 * * *")) };
    assert_eq!(saved(&bench.told("s", stored(expected.clone()))), []);
    assert_eq!(saved(&bench.told("s", stored(Status::default()))), [expected]);
}

#[test]
fn a_run_clears_the_clean_time_of_the_old_manager() {
    let clean = Some(at("2024-05-08T04:00:00Z"));
    let mut bench = Bench::new("2024-05-09T03:00:00Z");
    bench.told(
        "s",
        Object { status: Status { all_backup_clean_time: clean, ..Status::default() }, ..object(spec("0 3 * * *")) },
    );
    bench.listed("s", vec![]);
    bench.feed(Input::Synced);
    assert_eq!(bench.status("s").all_backup_clean_time, clean);
    bench.created("s", "s-2024-05-09t03-00-00", CreateResult::Created);
    assert_eq!(bench.status("s").all_backup_clean_time, None);
}

#[test]
fn the_last_success_is_the_last_good_backup() {
    let mut bench = Bench::with("2024-05-03T12:00:00Z", object(spec("0 3 * * *")));
    let (good, bad) = ("s-2024-05-01t03-00-00", "s-2024-05-02t03-00-00");
    bench.listed("s", vec![backup(good, COMPLETE), backup(bad, FAILED)]);
    let status = bench.status("s");
    assert_eq!((status.last_success.as_str(), status.last_success_time), (good, Some(at("2024-05-01T03:00:00Z"))));
    let ended = Some(at("2024-05-01T03:09:00Z"));
    bench.listed("s", vec![Backup { ended, ..backup(good, COMPLETE) }]);
    assert_eq!(bench.status("s").last_success_time, ended, "its end, where it says one");
}

#[test]
fn an_expression_that_never_fires_says_so() {
    let bench = Bench::with("2024-05-03T12:00:00Z", object(spec("0 0 31 2 *")));
    let status = bench.status("s");
    assert_eq!(
        (status.next_run, status.message.as_str()),
        (None::<Timestamp>, "the expression does not fire within five years")
    );
}

#[test]
fn a_view_shows_what_runs() {
    let mut bench = Bench::with("2024-05-03T12:00:00Z", object(spec("TZ=Europe/Berlin 0 3 * * *")));
    bench.listed("s", vec![backup("s-2024-05-02t03-00-00", RUNNING), backup("s-2024-05-01t03-00-00", COMPLETE)]);
    let [view] = bench.machine.view().try_into().unwrap();
    assert_eq!((view.cron.as_str(), view.zone.as_str()), ("TZ=Europe/Berlin 0 3 * * *", "Europe/Berlin"));
    assert_eq!((view.running, view.backups), (vec!["s-2024-05-02t03-00-00".to_owned()], 2));
}
