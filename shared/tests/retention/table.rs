//! Named cases, one for each rule.

use crate::fixtures::*;
use shared::{
    cron::Zone,
    retention::{Backup, BackupState, Next, Policy, PolicyText, last_good, plan},
    time::Timestamp,
};

#[test]
fn without_limits_everything_stays() {
    let mut history = daily(3);
    history.push(backup("bad", 1, BackupState::Failed));
    let plan = plan(&history, &policy(PolicyText::default()), day_at(4000));
    assert_eq!(to_delete(&plan), Vec::<&str>::new());
    assert_eq!(plan.next, None);
    assert_eq!(verdicts(&plan)[0], "2: keep: the schedule limits nothing");
    assert!(verdicts(&plan).contains(&"bad: keep: the schedule limits nothing".to_owned()));
}

#[test]
fn max_backups_counts_complete_ones_only() {
    let mut history = daily(4);
    history.extend([
        backup("bad", 5, BackupState::Failed),
        backup("running", 6, BackupState::Running),
        Backup { skip_gc: true, ..backup("kept", 7, PROVEN) },
        Backup { on_hold: true, ..backup("held", 8, PROVEN) },
    ]);
    let plan = plan(&history, &policy(max_backups(2)), day_at(9));
    assert_eq!(
        verdicts(&plan),
        [
            "held: keep: it is on hold",
            "kept: keep: skipGC is true",
            "running: keep: it has not ended",
            "bad: keep: it failed recently",
            "3: keep: within the limits",
            "2: keep: within the limits",
            "1: delete: maxBackups 2 is reached by newer ones",
            "0: delete: maxBackups 2 is reached by newer ones",
        ]
    );
    assert_eq!(now_goes(&plan), Some("0"), "the oldest first");
}

#[test]
fn not_above_zero_is_no_limit() {
    for max in [0, -3] {
        assert!(!policy(max_backups(max)).limits_anything());
    }
}

#[test]
fn max_reserved_time_says_when() {
    let history = daily(4);
    let policy = policy(max_time("2d12h"));
    let at = |now| plan(&history, &policy, now);
    let first = at(day_at(3));
    assert_eq!(verdicts(&first)[3], "0: delete: older than maxReservedTime 2d12h");
    assert_eq!(to_delete(&first), ["0"]);
    // Without "0" the next one is "1", half a day later and a millisecond.
    let second = plan(&history[1..], &policy, day_at(3));
    let due = Timestamp(day_at(3).0 + DAY / 2 + 1);
    assert_eq!(second.next, Some(Next { name: "1".to_owned(), at: due }));
    assert_eq!(now_goes(&plan(&history[1..], &policy, Timestamp(due.0 - 1))), None);
    assert_eq!(now_goes(&plan(&history[1..], &policy, due)), Some("1"));
    // In a year all but the last are gone, and that one stays for ever.
    let last = at(day_at(365));
    assert_eq!(verdicts(&last)[0], "3: keep: the last good backup");
    assert_eq!(to_delete(&last), ["2", "1", "0"]);
    assert_eq!(plan(&history[3..], &policy, day_at(365)).next, None);
}

#[test]
fn age_alone_lets_go_what_neither_a_tier_keeps_nor_the_last_good_one_is() {
    let expiring = |text: PolicyText| {
        let rows = plan(&daily(5), &policy(text), day_at(5)).rows;
        rows.into_iter().filter_map(|row| Some((row.name, row.expires?))).collect::<Vec<_>>()
    };
    // Ten days after each was made, and a millisecond.
    let all: Vec<_> = (0..4).rev().map(|day| (day.to_string(), Timestamp(day_at(day + 10).0 + 1))).collect();
    assert_eq!(expiring(max_time("10d")), all, "the newest is the last good one");
    let tiered = PolicyText { tiers: tiers([0, 2, 0, 0, 0]).tiers, ..max_time("10d") };
    assert_eq!(expiring(tiered), all[1..], "two days keep theirs");
    assert_eq!(expiring(max_backups(9)), [], "nothing grows too old");
}

#[test]
fn both_limits_have_to_hold() {
    let both = PolicyText { max_backups: Some(3), ..max_time("2d") };
    assert_eq!(
        to_delete(&plan(&daily(6), &policy(both.clone()), day_at(5))),
        ["2", "1", "0"],
        "the count is the tighter"
    );
    assert_eq!(to_delete(&plan(&daily(6), &policy(both), day_at(6))), ["3", "2", "1", "0"], "the time is the tighter");
}

#[test]
fn the_last_proven_one_outlives_newer_ones_without_a_proof() {
    let history = [backup("proven", 0, PROVEN), backup("1", 1, OLD), backup("2", 2, OLD), backup("3", 3, OLD)];
    let plan = plan(&history, &policy(max_backups(1)), day_at(9));
    assert_eq!(to_delete(&plan), ["2", "1"]);
    assert_eq!(verdicts(&plan)[3], "proven: keep: the last good backup");
    assert_eq!(last_good(&history[1..]).unwrap().name, "3", "without any, the newest Complete one");
}

#[test]
fn one_that_is_leaving_is_not_good() {
    let mut history = daily(2);
    history[1].deleting = Some(day_at(3));
    let plan = plan(&history, &policy(max_time("1d")), day_at(9));
    assert_eq!(verdicts(&plan), ["1: leaving since 2024-05-04T00:00:00Z", "0: keep: the last good backup"]);
}

#[test]
fn one_deletion_at_a_time_but_a_stuck_one_not_for_ever() {
    let mut history = daily(5);
    history[0].deleting = Some(day_at(6));
    let policy = policy(max_backups(1));
    let soon = plan(&history, &policy, day_at(6));
    assert_eq!(now_goes(&soon), None);
    assert_eq!(soon.waiting, Some(("0".to_owned(), day_at(7))));
    assert_eq!(soon.next, Some(Next { name: "1".to_owned(), at: day_at(7) }));
    assert_eq!(now_goes(&plan(&history, &policy, Timestamp(day_at(7).0 - 1))), None);
    assert_eq!(now_goes(&plan(&history, &policy, day_at(7))), Some("1"));
    // The next stuck one is waited for in its turn.
    history[1].deleting = Some(day_at(7));
    assert_eq!(now_goes(&plan(&history, &policy, day_at(7))), None);
}

#[test]
fn failed_ones_have_limits_of_their_own() {
    let failed =
        |count: i64| (0..count).map(|day| backup(&format!("f{day}"), day, BackupState::Failed)).collect::<Vec<_>>();
    let mut history = daily(1);
    history.extend(failed(12));
    // By default the newest ten, and seven days.
    let at = |day| plan(&history, &policy(max_backups(5)), day_at(day));
    assert_eq!(to_delete(&at(7)), ["f1", "f0"]);
    assert_eq!(verdicts(&at(7))[10], "f1: delete: 10 newer failed ones are kept");
    assert_eq!(to_delete(&at(13)), ["f5", "f4", "f3", "f2", "f1", "f0"]);
    assert_eq!(verdicts(&at(13))[6], "f5: delete: it failed more than 1w ago");
    let own = PolicyText {
        max_failed_backups: Some(2),
        max_failed_reserved_time: Some("36h".to_owned()),
        ..PolicyText::default()
    };
    let own = plan(&history, &policy(own), day_at(12));
    assert_eq!(to_delete(&own), (0..=10).rev().map(|day| format!("f{day}")).collect::<Vec<_>>());
    assert!(
        verdicts(&own).contains(&"0: keep: the schedule limits nothing".to_owned()),
        "failed limits touch no good one"
    );
}

#[test]
fn tiers_keep_the_newest_of_each_period() {
    // From Wednesday 2024-05-01 on, 60 days, the last is Saturday 2024-06-29.
    let history = daily(60);
    let tiered = plan(&history, &policy(tiers([0, 3, 3, 2, 1])), day_at(60));
    let kept: Vec<_> = verdicts(&tiered).into_iter().filter(|row| row.contains(": keep: ")).collect();
    assert_eq!(
        kept,
        [
            "59: keep: kept as daily, weekly, monthly, yearly",
            "58: keep: kept as daily",
            "57: keep: kept as daily",
            "53: keep: kept as weekly",
            "46: keep: kept as weekly",
            "30: keep: kept as monthly",
        ]
    );
    assert!(verdicts(&tiered).contains(&"56: delete: no tier keeps it".to_owned()));
    // Beside a limit they keep more, never less.
    let both = PolicyText { max_backups: Some(5), ..tiers([0, 0, 0, 2, 0]) };
    let both = plan(&history, &policy(both), day_at(60));
    assert_eq!(both.rows.len() - to_delete(&both).len(), 6);
    assert!(verdicts(&both).contains(&"30: keep: kept as monthly".to_owned()));
}

#[test]
fn days_are_those_of_the_zone() {
    // 22:30 UTC of day 0 is half past midnight of day 1 in Berlin.
    let late = Backup { created: Timestamp(START + DAY - 5_400_000), ..backup("late", 0, PROVEN) };
    let history = [backup("early", 0, PROVEN), late, backup("next", 1, PROVEN)];
    let kept = |zone: &Zone| {
        let policy = Policy::parse(&tiers([0, 2, 0, 0, 0]), zone).unwrap();
        to_delete(&plan(&history, &policy, day_at(2))).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kept(&Zone::utc()), ["early"]);
    assert_eq!(kept(&Zone::named("Europe/Berlin").unwrap()), ["late"]);
}

#[test]
fn errors_name_the_field() {
    for (text, message) in [
        (
            max_time("7x"),
            "spec.maxReservedTime: '7x' is not a length of time: unit 'x' is unknown; allowed are ns, us, ms, s, m, h, d, w",
        ),
        (max_time("0s"), "spec.maxReservedTime is 0s; at least 1s is needed, or leave the field out"),
        (tiers_raw(-1), "spec.tiers.hourly is -1; it must not be negative"),
        (
            PolicyText { max_failed_backups: Some(-2), ..PolicyText::default() },
            "spec.maxFailedBackups is -2; it must not be negative",
        ),
    ] {
        assert_eq!(Policy::parse(&text, &Zone::utc()).unwrap_err().to_string(), message);
    }
    assert_eq!(policy(max_time(" ")).max_reserved, None);
    assert_eq!(policy(max_time("1w1d")).max_reserved.unwrap().0, 8 * 86_400_000);
}

fn tiers_raw(count: i32) -> PolicyText {
    let mut text = PolicyText::default();
    text.tiers[0].1 = Some(count);
    text
}
