use shared::{
    ids::BackupUid,
    time::{Millis, Timestamp},
    verify::{Kept, Pace, due},
};
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000;
const PACE: Pace = Pace { newest: Millis::secs(24 * 3600), rest: Millis::secs(168 * 3600) };

fn kept(backup: &str, group: &str, completed: i64, verified: Option<i64>) -> Kept {
    Kept {
        backup: BackupUid::new(backup),
        group: group.into(),
        completed: Timestamp(completed * HOUR),
        verified: verified.map(|hours| Timestamp(hours * HOUR)),
    }
}

fn next(kept: &[Kept], now: i64) -> Option<String> {
    due(kept, PACE, Timestamp(now * HOUR), &BTreeMap::new()).next.map(|uid| uid.to_string())
}

#[test]
fn the_newest_is_looked_at_daily_and_the_rest_weekly() {
    let two = |verified| vec![kept("old", "g", 0, Some(1)), kept("new", "g", 100, verified)];
    assert_eq!(next(&two(Some(101)), 124), None);
    assert_eq!(next(&two(Some(101)), 125).as_deref(), Some("new"));
    assert_eq!(next(&two(Some(160)), 168), None);
    assert_eq!(next(&two(Some(160)), 169).as_deref(), Some("old"));
    // Each group has a newest of its own.
    assert_eq!(next(&[kept("a", "g", 0, Some(1)), kept("b", "h", 100, Some(101))], 25).as_deref(), Some("a"));
}

/// A daily schedule would replace it before a day is over.
#[test]
fn the_newest_is_looked_at_soon_after_its_end() {
    let one = [kept("new", "g", 100, None)];
    let at = |minutes: i64| due(&one, PACE, Timestamp(100 * HOUR + minutes * 60_000), &BTreeMap::new()).next;
    assert_eq!((at(9), at(10)), (None, Some(BackupUid::new("new"))));
}

#[test]
fn newest_ones_come_first_then_the_one_that_waits_for_longest() {
    let all = [
        kept("rest-1", "g", 0, Some(2)),
        kept("rest-2", "g", 1, Some(1)),
        kept("never", "g", 2, None),
        kept("new", "g", 400, Some(390)),
        kept("new-2", "h", 300, Some(380)),
    ];
    let mut left = all.to_vec();
    let mut order = Vec::new();
    while let Some(uid) = due(&left, PACE, Timestamp(500 * HOUR), &BTreeMap::new()).next {
        left.retain(|one| one.backup != uid);
        order.push(uid.to_string());
        left.push(Kept {
            verified: Some(Timestamp(500 * HOUR)),
            ..all.iter().find(|one| one.backup == uid).unwrap().clone()
        });
    }
    assert_eq!(order, ["new-2", "new", "rest-2", "never", "rest-1"]);
}

#[test]
fn what_could_not_be_looked_at_waits_and_stays_late() {
    let one = [kept("new", "g", 0, Some(1))];
    let wait = BTreeMap::from([(BackupUid::new("new"), Timestamp(40 * HOUR))]);
    let found = due(&one, PACE, Timestamp(30 * HOUR), &wait);
    assert_eq!((found.next, found.late, found.newest_late), (None, 1, Millis::secs(5 * 3600)));
    assert_eq!(due(&one, PACE, Timestamp(40 * HOUR), &wait).next, Some(BackupUid::new("new")));
}

/// A wall clock that was ahead once must not keep a backup from being looked at for ever.
#[test]
fn a_verification_of_the_future_counts_for_nothing() {
    let one = [kept("new", "g", 0, Some(1_000_000))];
    assert_eq!(next(&one, 30).as_deref(), Some("new"));
    let absurd = [Kept { completed: Timestamp(i64::MAX), ..kept("x", "g", 0, None) }];
    assert_eq!(due(&absurd, PACE, Timestamp(0), &BTreeMap::new()).next, None);
}

/// Ten thousand after an upgrade: all are late, and still one is named at a time, the newest ones first.
#[test]
fn many_that_are_late_come_one_after_the_other() {
    let all: Vec<Kept> = (0..10_000).map(|at| kept(&format!("b{at:05}"), &format!("g{}", at % 7), at, None)).collect();
    let found = due(&all, PACE, Timestamp(1_000_000 * HOUR), &BTreeMap::new());
    assert_eq!((found.late, found.next), (10_000, Some(BackupUid::new("b09993"))));
}
