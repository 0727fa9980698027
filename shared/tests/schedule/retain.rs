//! Deletions of the machine; which backups go is retention's own test.

use crate::fixtures::*;
use shared::{
    cron::Zone,
    ids::BackupUid,
    retention::{Policy, PolicyText, Why},
    schedule::{DeleteResult, Effect, Spec},
    time::Millis,
};

const NAMES: [&str; 3] = ["s-2024-05-01t03-00-00", "s-2024-05-02t03-00-00", "s-2024-05-03t03-00-00"];
const WHY: &str = "maxBackups 1 is reached by newer ones";

fn three() -> Vec<shared::retention::Backup> {
    NAMES.map(|name| backup(name, COMPLETE)).into()
}

fn bench() -> Bench {
    Bench::with("2024-05-03T12:00:00Z", object(Spec { pause: true, ..limited("0 3 * * *", 1) }))
}

#[test]
fn a_deletion_names_uid_and_reason_and_the_next_waits_until_it_is_gone() {
    let mut bench = bench();
    let effects = bench.listed("s", three());
    assert!(effects.contains(&Effect::Delete {
        key: key("s"),
        name: NAMES[0].to_owned(),
        uid: BackupUid::new(format!("uid-{}", NAMES[0])),
        why: Why::TooMany(1),
    }));
    assert_eq!(short(&effects).len(), 1);
    assert_eq!(short(&bench.listed("s", three())), Vec::<String>::new(), "asked for already");
    assert_eq!(
        short(&bench.deleted(NAMES[0], DeleteResult::Deleted)),
        [format!("event SuccessfulDelete: deleted backup {}: {WHY}", NAMES[0])]
    );
    assert_eq!(short(&bench.listed("s", three())), Vec::<String>::new(), "the list is older than the deletion");
    let mut leaving = three();
    leaving[0].deleting = Some(bench.now.wall);
    assert_eq!(short(&bench.listed("s", leaving.clone())), Vec::<String>::new());
    assert_eq!(short(&bench.listed("s", three()[1..].to_vec())), [format!("delete {}: {WHY}", NAMES[1])]);
}

#[test]
fn a_stuck_deletion_holds_the_next_one_up_for_a_day() {
    let mut bench = bench();
    bench.listed("s", three());
    bench.deleted(NAMES[0], DeleteResult::Deleted);
    let mut leaving = three();
    leaving[0].deleting = Some(bench.now.wall);
    bench.listed("s", leaving);
    assert_eq!(short(&bench.until("2024-05-04T11:59:59Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-04T12:00:00Z")), [format!("delete {}: {WHY}", NAMES[1])]);
}

#[test]
fn a_failed_deletion_is_tried_again() {
    let mut bench = bench();
    bench.listed("s", three());
    let failed = || DeleteResult::Failed("forbidden".to_owned());
    assert_eq!(
        short(&bench.deleted(NAMES[0], failed())),
        [format!("event FailedDelete: backup {} could not be deleted: forbidden", NAMES[0])]
    );
    assert_eq!(short(&bench.until("2024-05-03T12:00:02Z")), [format!("delete {}: {WHY}", NAMES[0])]);
    assert_eq!(short(&bench.deleted(NAMES[0], failed())), Vec::<String>::new(), "one event for a row of failures");
    bench.wait(Millis::secs(600));
    // Only the uid is deleted that was planned; somebody else's object of the name is left alone.
    assert_eq!(short(&bench.listed("s", three())), [format!("delete {}: {WHY}", NAMES[0])]);
    assert_eq!(short(&bench.deleted(NAMES[0], DeleteResult::Gone)), [format!("delete {}: {WHY}", NAMES[1])]);
}

#[test]
fn a_deletion_that_never_shows_is_asked_for_again() {
    let mut bench = bench();
    bench.listed("s", three());
    bench.deleted(NAMES[0], DeleteResult::Deleted);
    assert_eq!(short(&bench.until("2024-05-03T12:04:59Z")), Vec::<String>::new());
    assert_eq!(short(&bench.until("2024-05-03T12:05:00Z")), [format!("delete {}: {WHY}", NAMES[0])]);
}

#[test]
fn age_wakes_it_even_when_paused() {
    let text = PolicyText { max_reserved_time: Some("36h".to_owned()), ..PolicyText::default() };
    let policy = Policy::parse(&text, &Zone::utc()).unwrap();
    let mut bench = Bench::with("2024-05-02T12:00:00Z", object(Spec { pause: true, policy, ..spec("0 3 * * *") }));
    bench.listed("s", three()[..2].to_vec());
    assert_eq!(short(&bench.until("2024-05-02T15:00:00Z")), Vec::<String>::new());
    let old = [format!("delete {}: older than maxReservedTime 1d12h", NAMES[0])];
    assert_eq!(short(&bench.until("2024-05-02T15:00:01Z")), old);
}

#[test]
fn the_plan_can_be_seen_for_any_date() {
    let mut bench = bench();
    bench.listed("s", three());
    let plan = bench.machine.plan(&key("s"), at("2030-01-01T00:00:00Z")).unwrap();
    let shown: Vec<_> = plan.rows.iter().map(|row| row.verdict.to_string()).collect();
    assert_eq!(
        shown,
        [
            "keep: within the limits",
            "delete: maxBackups 1 is reached by newer ones",
            "leaving since 2024-05-03T12:00:00Z"
        ]
    );
    assert_eq!(bench.machine.plan(&key("other"), at("2030-01-01T00:00:00Z")), None);
}
