//! When runs begin, and what they are.

use crate::fixtures::*;
use shared::{
    cron::Cron,
    reason::{Reason, Refusal},
    schedule::{CreateResult, Effect, Input, NewBackup, Object, Spec, Status},
    time::{Millis, Timestamp},
};
use std::collections::BTreeMap;

const NIGHTLY: &str = "0 3 * * *";

#[test]
fn a_run_is_made_at_its_time_and_is_what_the_facts_say() {
    let mut bench = Bench::with("2024-05-01T00:00:00Z", object(spec(NIGHTLY)));
    assert_eq!(short(&bench.until("2024-05-01T02:59:59Z")), Vec::<String>::new());
    let effects = bench.until("2024-05-01T03:00:00Z");
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let expected = NewBackup {
        key: key("s"),
        schedule_uid: "u1".to_owned(),
        name: "s-2024-05-01t03-00-00".to_owned(),
        fire: at("2024-05-01T03:00:00Z"),
        labels: map(&[
            ("app.kubernetes.io/instance", "s"),
            ("app.kubernetes.io/managed-by", "backup-schedule-operator"),
            ("app.kubernetes.io/name", "backup-schedule"),
            ("team", "db"),
            ("tidb.pingcap.com/backup-schedule", "s"),
        ]),
        annotations: map(&[
            ("argocd.argoproj.io/compare-options", "IgnoreExtraneous"),
            ("argocd.argoproj.io/sync-options", "Prune=false"),
            ("iam.amazonaws.com/role", "backup"),
        ]),
    };
    assert_eq!(effects, [Effect::Create(Box::new(expected))]);
    assert_eq!(
        short(&bench.created("s", "s-2024-05-01t03-00-00", CreateResult::Created)),
        ["event SuccessfulCreate: created backup s-2024-05-01t03-00-00"]
    );
    let status = bench.status("s");
    assert_eq!(status.last_backup, "s-2024-05-01t03-00-00");
    assert_eq!(status.last_backup_time, Some(at("2024-05-01T03:00:00Z")));
    assert_eq!(status.next_run, Some(at("2024-05-02T03:00:00Z")));
}

#[test]
fn nothing_is_done_before_everything_is_told() {
    let mut bench = Bench::new("2024-05-09T12:00:00Z");
    assert_eq!(bench.told("s", object(limited(NIGHTLY, 1))), []);
    assert_eq!(bench.feed(Input::Synced), [], "its backups are not listed");
    let mut early = Bench::new("2024-05-09T12:00:00Z");
    early.told("s", object(limited(NIGHTLY, 1)));
    let two = vec![backup("s-2024-05-01t03-00-00", COMPLETE), backup("s-2024-05-02t03-00-00", COMPLETE)];
    assert_eq!(early.listed("s", two), [], "not synced");
    assert_eq!(
        short(&early.feed(Input::Synced)),
        ["create s-2024-05-09t03-00-00", "delete s-2024-05-01t03-00-00: maxBackups 1 is reached by newer ones"]
    );
}

#[test]
fn of_many_missed_runs_the_newest_alone_is_made_up_for() {
    // Minutely, and down for three months: 130,000 fires are missed.
    let mut bench = Bench::with("2024-08-01T12:00:30Z", object(spec("* * * * *")));
    assert_eq!(bench.status("s").last_backup, "", "only asked for");
    let name = "s-2024-08-01t12-00-00";
    assert_eq!(short(&bench.created("s", name, CreateResult::Created)).len(), 1);
    assert_eq!(bench.status("s").next_run, Some(at("2024-08-01T12:01:00Z")));
    assert_eq!(short(&bench.listed("s", vec![backup(name, COMPLETE)])), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-08-01T12:01:00Z")), ["create s-2024-08-01t12-01-00"]);
}

#[test]
fn what_is_done_is_the_newest_of_status_and_names() {
    for (last, clean, listed, due) in [
        (None, None, None, Some("s-2024-05-09t03-00-00")),
        (Some("2024-05-08T03:00:00Z"), None, None, Some("s-2024-05-09t03-00-00")),
        (Some("2024-05-09T03:00:00Z"), None, None, None),
        (None, Some("2024-05-09T03:00:01Z"), None, None),
        (Some("2024-05-07T03:00:00Z"), Some("2024-05-09T04:00:00Z"), None, Some("s-2024-05-09t03-00-00")),
        // A crash between the creation and the status: the object is found by its name.
        (Some("2024-05-08T03:00:00Z"), None, Some("s-2024-05-09t03-00-00"), None),
    ] {
        let mut object = object(spec(NIGHTLY));
        object.status.last_backup_time = last.map(at);
        object.status.all_backup_clean_time = clean.map(at);
        let mut bench = Bench::new("2024-05-09T12:00:00Z");
        bench.told("s", object);
        bench.listed("s", listed.map(|name| backup(name, COMPLETE)).into_iter().collect());
        let effects = short(&bench.feed(Input::Synced));
        assert_eq!(
            effects,
            due.map(|name| format!("create {name}")).into_iter().collect::<Vec<_>>(),
            "{last:?} {clean:?}"
        );
        if let Some(name) = listed {
            assert_eq!(bench.status("s").last_backup, name);
        }
    }
}

#[test]
fn a_run_that_exists_is_not_made_again() {
    // The list is older than the creation of a process before us: the API server knows better.
    let mut bench = Bench::with("2024-05-09T12:00:00Z", object(spec(NIGHTLY)));
    let name = "s-2024-05-09t03-00-00";
    assert_eq!(short(&bench.created("s", name, CreateResult::Exists { ours: true })), Vec::<String>::new());
    assert_eq!(bench.status("s").last_backup, name);
    assert_eq!(bench.status("s").next_run, Some(at("2024-05-10T03:00:00Z")));
}

#[test]
fn a_name_that_somebody_else_has_is_skipped() {
    let mut bench = Bench::with("2024-05-09T12:00:00Z", object(spec(NIGHTLY)));
    let effects = bench.created("s", "s-2024-05-09t03-00-00", CreateResult::Exists { ours: false });
    assert_eq!(
        short(&effects),
        [
            "event FailedCreate: backup s-2024-05-09t03-00-00 exists and is not of this schedule (label tidb.pingcap.com/backup-schedule); this run is skipped"
        ]
    );
    assert_eq!(bench.status("s").last_backup, "");
    assert_eq!(short(&bench.until("2024-05-10T03:00:00Z")), ["create s-2024-05-10t03-00-00"]);
}

#[test]
fn a_refused_creation_is_tried_again_and_gives_way_to_a_newer_fire() {
    let mut bench = Bench::with("2024-05-09T02:50:00Z", object(spec("0 * * * *")));
    let name = "s-2024-05-09t02-00-00";
    let refused = || CreateResult::Refused("quota".to_owned());
    assert_eq!(
        short(&bench.created("s", name, refused())),
        [format!("event FailedCreate: backup {name} could not be created: quota")]
    );
    let message = "the run due since 2024-05-01T01:00:00Z could not be made and is tried again: quota";
    assert_eq!(bench.status("s").message, message);
    let mut tries = 0;
    while bench.now.wall < at("2024-05-09T02:59:50Z") {
        let effects = bench.until(&Timestamp(bench.now.wall.0 + 1000).to_text());
        if !short(&effects).is_empty() {
            assert_eq!(short(&effects), [format!("create {name}")]);
            assert_eq!(
                short(&bench.created("s", name, refused())),
                Vec::<String>::new(),
                "one event for a row of failures"
            );
            tries += 1;
        }
    }
    assert!((5..20).contains(&tries), "{tries} tries in ten minutes");
    bench.wait(Millis::secs(400));
    assert_eq!(short(&bench.until("2024-05-09T03:10:00Z")), ["create s-2024-05-09t03-00-00"]);
}

#[test]
fn a_creation_of_unknown_outcome_keeps_its_name() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec("0 * * * *")));
    let name = "s-2024-05-09t02-00-00";
    bench.created("s", name, CreateResult::Unknown("timed out".to_owned()));
    // The next fire is due, but the one before may exist.
    bench.wait(Millis::secs(120));
    assert_eq!(short(&bench.until("2024-05-09T03:01:01Z")), [format!("create {name}")]);
    bench.created("s", name, CreateResult::Unknown("timed out".to_owned()));
    // A list shows that it was made: it runs, and the next one waits for it.
    assert_eq!(short(&bench.listed("s", vec![backup(name, RUNNING)])), Vec::<String>::new());
    assert_eq!(bench.status("s").last_backup, name);
    assert_eq!(
        bench.status("s").message,
        format!("the run due since 2024-05-09T03:00:00Z waits for backup {name} to end")
    );
    assert_eq!(short(&bench.listed("s", vec![backup(name, FAILED)])), ["create s-2024-05-09t03-00-00"]);
}

/// Found by the simulation: the first try had made it, and a quota refused the second before its name was looked at.
#[test]
fn a_refusal_after_an_unknown_outcome_does_not_say_that_nothing_runs() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec("0 * * * *")));
    let name = "s-2024-05-09t02-00-00";
    bench.created("s", name, CreateResult::Unknown("timed out".to_owned()));
    assert_eq!(short(&bench.until("2024-05-09T02:59:03Z")), [format!("create {name}")]);
    bench.created("s", name, CreateResult::Refused("quota".to_owned()));
    assert_eq!(short(&bench.until("2024-05-09T03:04:02Z")), Vec::<String>::new(), "it may be running");
    assert_eq!(short(&bench.until("2024-05-09T03:04:04Z")), ["create s-2024-05-09t03-00-00"], "no list has shown it");
}

#[test]
fn a_pause_does_not_say_that_nothing_runs() {
    let paused = |pause| object(Spec { pause, ..spec("0 * * * *") });
    let mut bench = Bench::with("2024-05-09T02:59:00Z", paused(false));
    bench.created("s", "s-2024-05-09t02-00-00", CreateResult::Unknown("timed out".to_owned()));
    bench.told("s", paused(true));
    assert_eq!(short(&bench.told("s", paused(false))), Vec::<String>::new(), "it may be running");
    assert_eq!(short(&bench.until("2024-05-09T03:03:59Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-09T03:04:01Z")), ["create s-2024-05-09t03-00-00"]);
}

#[test]
fn the_next_run_waits_for_the_last_one_to_end() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec("0 * * * *")));
    let name = "s-2024-05-09t02-00-00";
    bench.created("s", name, CreateResult::Created);
    // Made, and not yet in any list.
    assert_eq!(short(&bench.until("2024-05-09T03:00:30Z")), Vec::<String>::new());
    bench.listed("s", vec![backup(name, RUNNING)]);
    assert_eq!(short(&bench.until("2024-05-09T07:30:00Z")), Vec::<String>::new());
    // Deleted before its end: it counts until it is gone.
    let mut leaving = backup(name, RUNNING);
    leaving.deleting = Some(bench.now.wall);
    assert_eq!(short(&bench.listed("s", vec![leaving])), Vec::<String>::new());
    assert_eq!(short(&bench.listed("s", vec![])), ["create s-2024-05-09t07-00-00"], "the newest of five");
}

#[test]
fn a_made_backup_that_never_shows_up_is_forgotten() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec("0 * * * *")));
    bench.created("s", "s-2024-05-09t02-00-00", CreateResult::Created);
    assert_eq!(short(&bench.until("2024-05-09T03:03:59Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-09T03:04:00Z")), ["create s-2024-05-09t03-00-00"]);
}

#[test]
fn pause_stops_runs_and_unpause_makes_up_for_one() {
    let paused = |pause| object(Spec { pause, ..spec(NIGHTLY) });
    let mut bench = Bench::with("2024-05-09T02:59:00Z", paused(true));
    assert_eq!(short(&bench.until("2024-05-12T04:00:00Z")), Vec::<String>::new());
    assert_eq!((bench.status("s").phase.as_str(), bench.status("s").next_run), ("Paused", None));
    assert_eq!(short(&bench.told("s", paused(false))), ["create s-2024-05-12t03-00-00"]);
}

#[test]
fn a_changed_expression_makes_up_for_nothing() {
    let mut bench = Bench::with("2024-05-01T00:00:00Z", object(spec(NIGHTLY)));
    bench.until("2024-05-01T02:00:00Z");
    let changed = Object { status: bench.status("s"), ..object(spec("0 1 * * *")) };
    assert_eq!(short(&bench.told("s", changed)), Vec::<String>::new(), "01:00 has passed before the change");
    assert_eq!(short(&bench.until("2024-05-02T00:59:00Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-02T01:00:00Z")), ["create s-2024-05-02t01-00-00"]);
    // The zone is part of it.
    let berlin = Cron::parse("TZ=Europe/Berlin 0 3 * * *").unwrap();
    let mut moved = Bench::with("2024-05-01T02:00:00Z", object(spec(NIGHTLY)));
    assert_eq!(short(&moved.told("s", object(Spec { cron: berlin, ..spec(NIGHTLY) }))), Vec::<String>::new());
}

#[test]
fn an_expression_changed_during_down_time_makes_up_for_nothing() {
    let told = |schedule: &str| {
        let status = Status {
            schedule: schedule.to_owned(),
            last_backup_time: Some(at("2024-05-01T03:00:00Z")),
            ..Status::default()
        };
        let mut bench = Bench::new("2024-05-05T12:00:00Z");
        bench.told("s", Object { status, ..object(spec("0 1 * * *")) });
        bench.listed("s", vec![]);
        short(&bench.feed(Input::Synced))
    };
    assert_eq!(told(NIGHTLY), Vec::<String>::new());
    assert_eq!(told("0 1 * * *"), ["create s-2024-05-05t01-00-00"]);
    assert_eq!(told(""), ["create s-2024-05-05t01-00-00"], "a status of the old manager");
}

#[test]
fn an_invalid_schedule_does_nothing_and_a_repaired_one_goes_on() {
    let refusal = Refusal::new(Reason::SpecInvalid, "spec.schedule: '7' is not allowed");
    let invalid = || Object { spec: Err(refusal.clone()), ..object(limited(NIGHTLY, 1)) };
    let mut bench = Bench::with("2024-05-09T02:00:00Z", object(limited(NIGHTLY, 1)));
    bench.created("s", "s-2024-05-08t03-00-00", CreateResult::Created);
    assert_eq!(short(&bench.told("s", invalid())), ["event SpecInvalid: spec.schedule: '7' is not allowed"]);
    let stored = Status { message: "SpecInvalid: spec.schedule: '7'...".to_owned(), ..bench.status("s") };
    assert_eq!(short(&bench.told("s", invalid())), Vec::<String>::new(), "one event for one cause");
    let three = ["s-2024-05-06t03-00-00", "s-2024-05-07t03-00-00", "s-2024-05-08t03-00-00"];
    bench.listed("s", three.map(|name| backup(name, COMPLETE)).into());
    assert_eq!(short(&bench.until("2024-05-09T04:00:00Z")), Vec::<String>::new());
    let status = bench.status("s");
    assert_eq!((status.phase.as_str(), status.next_run), ("Invalid", None));
    assert_eq!(status.message, "SpecInvalid: spec.schedule: '7' is not allowed");
    let mut successor = Bench::with("2024-05-09T04:00:00Z", Object { status: stored, ..invalid() });
    assert_eq!(short(&successor.told("s", invalid())), Vec::<String>::new(), "nor from a successor, of a cut message");
    assert_eq!(
        short(&bench.told("s", object(limited(NIGHTLY, 1)))),
        ["create s-2024-05-09t03-00-00", "delete s-2024-05-06t03-00-00: maxBackups 1 is reached by newer ones"]
    );
}

#[test]
fn a_clock_that_goes_back_runs_nothing_twice() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec("0 * * * *")));
    bench.listed("s", vec![]);
    bench.created("s", "s-2024-05-09t02-00-00", CreateResult::Created);
    bench.listed("s", vec![backup("s-2024-05-09t02-00-00", COMPLETE)]);
    // Back by two and a half hours: two o'clock comes again.
    bench.now.wall = at("2024-05-09T00:30:00Z");
    assert_eq!(short(&bench.listed("s", vec![])), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-09T02:59:59Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-09T03:00:00Z")), ["create s-2024-05-09t03-00-00"]);
}

#[test]
fn a_clock_that_was_a_year_ahead_does_not_stop_the_schedule_for_a_year() {
    let mut bench = Bench::with("2025-05-09T02:59:00Z", object(spec("0 * * * *")));
    bench.created("s", "s-2025-05-09t02-00-00", CreateResult::Created);
    bench.listed("s", vec![backup("s-2025-05-09t02-00-00", COMPLETE)]);
    bench.now.wall = at("2024-05-09T00:30:00Z");
    assert_eq!(short(&bench.told("s", object(spec("0 * * * *")))), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-09T01:00:00Z")), ["create s-2024-05-09t01-00-00"]);
    // A restart judges by what is stored, and comes to the same.
    let status = Status { last_backup_time: Some(at("2025-05-09T02:00:00Z")), ..Status::default() };
    let mut again = Bench::new("2024-05-09T00:30:00Z");
    again.told("s", Object { status, ..object(spec("0 * * * *")) });
    again.listed("s", vec![backup("s-2025-05-09t02-00-00", COMPLETE)]);
    assert_eq!(short(&again.feed(Input::Synced)), Vec::<String>::new());
    assert_eq!(short(&again.until("2024-05-09T01:00:00Z")), ["create s-2024-05-09t01-00-00"]);
}

#[test]
fn another_object_of_the_same_name_is_another_schedule() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec(NIGHTLY)));
    bench.created("s", "s-2024-05-08t03-00-00", CreateResult::Unknown("timed out".to_owned()));
    let created = at("2024-05-09T02:59:00Z");
    let second = Object { uid: "u2".to_owned(), created, ..object(spec(NIGHTLY)) };
    assert_eq!(short(&bench.told("s", second)), Vec::<String>::new());
    assert_eq!(
        short(&bench.until("2024-05-09T02:59:59Z")),
        Vec::<String>::new(),
        "what the first asked for is forgotten"
    );
    assert_eq!(short(&bench.until("2024-05-09T03:00:00Z")), ["create s-2024-05-09t03-00-00"]);
}

#[test]
fn stale_answers_change_nothing() {
    let mut bench = Bench::with("2024-05-09T02:59:00Z", object(spec(NIGHTLY)));
    let before = bench.machine.clone();
    assert_eq!(bench.created("s", "s-2020-01-01t00-00-00", CreateResult::Created), []);
    assert_eq!(bench.deleted("s-2020-01-01t00-00-00", shared::schedule::DeleteResult::Gone), []);
    assert_eq!(bench.created("unknown", "x", CreateResult::Created), []);
    assert_eq!(bench.listed("unknown", vec![]), []);
    assert_eq!(bench.machine, before);
}

#[test]
fn every_counts_from_the_last_run() {
    let mut bench = Bench::with("2024-05-01T01:00:10Z", object(spec("@every 25m")));
    // 00:25 and 00:50 are missed.
    bench.created("s", "s-2024-05-01t00-50-00", CreateResult::Created);
    bench.listed("s", vec![backup("s-2024-05-01t00-50-00", COMPLETE)]);
    assert_eq!(bench.status("s").next_run, Some(at("2024-05-01T01:15:00Z")));
}

trait ToText {
    fn to_text(self) -> String;
}

impl ToText for Timestamp {
    fn to_text(self) -> String {
        shared::calendar::rfc3339(self)
    }
}

#[test]
fn a_process_that_is_to_end_begins_nothing() {
    let mut bench = Bench::with("2024-05-01T00:00:00Z", object(limited(NIGHTLY, 1)));
    assert_eq!(bench.feed(Input::BeginNothing), []);
    assert_eq!(short(&bench.until("2024-05-03T12:00:00Z")), Vec::<String>::new());
    let two = vec![backup("s-2024-05-01t03-00-00", COMPLETE), backup("s-2024-05-02t03-00-00", COMPLETE)];
    assert_eq!(bench.listed("s", two), [], "nothing is deleted either");
}
