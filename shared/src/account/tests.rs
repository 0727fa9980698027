#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    ids::{BackupUid, PlaneId},
    limiter::Budget,
    time::{Instant, Millis},
    wire::{AccountPart, CallBudgets, CallShare, Divided},
};

fn place(account: &str) -> Place {
    Place { account: account.to_owned(), region: "r".to_owned() }
}

/// So many instances of several volumes in each of these planes, all in account "a".
fn demand(name: &str, planes: &[(&str, u32)], hold: u64) -> Demand {
    let takes = |sets: u32| Takes { place: place("a"), calls: Calls { sets, either: 0, barred: 0 }, budgets: None };
    Demand {
        name: name.to_owned(),
        planes: planes.iter().map(|(plane, sets)| (PlaneId::from(*plane), takes(*sets))).collect(),
        hold: Millis::secs(hold),
    }
}

fn uid(name: &str) -> BackupUid {
    BackupUid::new(name)
}

/// The parts as `plane action calls/of`.
fn told(accounts: &Accounts) -> Vec<String> {
    let one = |plane: &PlaneId, part: &AccountPart| {
        let CallShare { calls, of } = part.share;
        format!("{plane} {:?} {calls}/{of}", part.action)
    };
    accounts
        .division(|_| true)
        .iter()
        .flat_map(|(plane, parts)| parts.iter().map(move |part| one(plane, part)))
        .collect()
}

#[test]
fn all_backups_of_an_account_divide_it_by_their_calls() {
    let mut accounts = Accounts::default();
    accounts.wants(&uid("x"), demand("x", &[("p1", 30), ("p2", 10)], 60), Instant(0)).unwrap();
    assert_eq!(told(&accounts), ["p1 CreateSnapshots 30/40", "p2 CreateSnapshots 10/40"]);
    // The plane p1 works for both: it is one caller, with the calls of both.
    accounts.wants(&uid("y"), demand("y", &[("p1", 20), ("p3", 40)], 60), Instant(0)).unwrap();
    assert_eq!(
        told(&accounts),
        ["p1 CreateSnapshots 50/100", "p2 CreateSnapshots 10/100", "p3 CreateSnapshots 40/100"]
    );
    let mut elsewhere = demand("z", &[("p4", 90)], 60);
    elsewhere.planes.get_mut(&PlaneId::from("p4")).unwrap().place = place("b");
    accounts.wants(&uid("z"), elsewhere, Instant(0)).unwrap();
    assert_eq!(told(&accounts).len(), 3, "another account is nobody's business");
    assert!(accounts.over(&uid("x")) && !accounts.over(&uid("x")));
    assert_eq!(told(&accounts), ["p1 CreateSnapshots 20/60", "p3 CreateSnapshots 40/60"]);
    accounts.over(&uid("y"));
    assert!(told(&accounts).is_empty());
}

#[test]
fn both_buckets_are_divided_where_one_is_not_enough() {
    let budgets = CallBudgets { sets: Budget::EC2_CREATE_SNAPSHOTS, one_volume: Some(Budget::EC2_CREATE_SNAPSHOT) };
    let mut accounts = Accounts::default();
    for (backup, plane) in [("x", "p1"), ("y", "p2"), ("z", "p3")] {
        let mut one = demand(backup, &[(plane, 0)], 60);
        let takes = one.planes.get_mut(&PlaneId::from(plane)).unwrap();
        (takes.calls, takes.budgets) = (Calls { sets: 0, either: 100, barred: 0 }, Some(budgets));
        accounts.wants(&uid(backup), one, Instant(0)).unwrap();
    }
    let parts = told(&accounts);
    let of_sets: Vec<_> = parts.iter().filter(|part| part.contains("CreateSnapshots")).collect();
    assert_eq!((of_sets.len(), parts.len()), (3, 6), "{parts:?}");
    assert!(parts.iter().filter(|part| part.contains("CreateSnapshot ")).all(|part| part.ends_with(" 100/300")));
}

#[test]
fn what_does_not_fit_beside_others_waits_before_anything_is_held() {
    let mut accounts = Accounts::default();
    // 300 calls take 40 s from a full bucket; 600 take 100 s.
    accounts.wants(&uid("x"), demand("shop/x", &[("p1", 300)], 60), Instant(0)).unwrap();
    let wait = accounts.wants(&uid("y"), demand("shop/y", &[("p2", 300)], 60), Instant(0)).unwrap_err();
    assert!(
        wait.text.contains("shop/x") && wait.text.contains("300 calls") && wait.text.contains("needs 100 s"),
        "{wait:?}"
    );
    assert!(accounts.waits(&uid("y")));
    // A small one that came later does not pass it by, or it would never begin.
    let wait = accounts.wants(&uid("z"), demand("shop/z", &[("p3", 1)], 60), Instant(0)).unwrap_err();
    assert!(wait.text.contains("shop/y"), "{wait:?}");
    assert_eq!(accounts.ready(Instant(1_000)).0, []);
    accounts.ordered(&uid("x"), Instant(2_000));
    accounts.ordered(&uid("x"), Instant(9_000));
    accounts.over(&uid("x"));
    // The bucket is 200 short: 300 more calls would take 100 s, and 60 are allowed.
    let (ready, again) = accounts.ready(Instant(2_000));
    assert_eq!((ready, again), (vec![], Some(Millis(40_001))));
    let (ready, again) = accounts.ready(Instant(42_001));
    assert_eq!((ready, again), (vec![uid("y")], Some(Millis(1_000))), "z beside y would need 60.2 s");
    accounts.wants(&uid("y"), demand("shop/y", &[("p2", 300)], 60), Instant(42_001)).unwrap();
    accounts.over(&uid("y"));
    assert_eq!(accounts.ready(Instant(42_001)).0, [uid("z")]);
    assert!(!accounts.waits(&uid("z")));
}

#[test]
fn nobody_waits_for_ever() {
    let mut accounts = Accounts::default();
    // Admission lets through only what fits alone; were it otherwise, waiting would not help.
    accounts.wants(&uid("x"), demand("x", &[("p1", 400)], 60), Instant(0)).unwrap();
    accounts.over(&uid("x"));
    accounts.wants(&uid("y"), demand("y", &[("p1", 10)], 60), Instant(0)).unwrap();
    accounts.wants(&uid("y"), demand("y", &[("p1", 10)], 60), Instant(5)).unwrap();
    assert!(accounts.over(&uid("y")), "asked twice, it is there once");
    accounts.wants(&uid("a"), demand("a", &[("p1", 299)], 60), Instant(0)).unwrap();
    assert!(accounts.wants(&uid("b"), demand("b", &[("p1", 299)], 60), Instant(0)).is_err());
    assert!(accounts.over(&uid("b")), "one that gave up is in nobody's way");
    assert_eq!(accounts.ready(Instant(0)), (vec![], None));
}

#[test]
fn calls_that_have_time_are_divided_among_the_planes_that_are_here() {
    let mut accounts = Accounts::default();
    let owed =
        |plane: &str, deletions, listings| Owed { plane: PlaneId::from(plane), place: place("a"), deletions, listings };
    assert!(accounts.owes(&uid("x"), vec![owed("p1", 30, 0), owed("p2", 10, 0)]));
    assert!(!accounts.owes(&uid("x"), vec![owed("p1", 30, 0), owed("p2", 10, 0)]), "that was known");
    assert!(accounts.owes(&uid("y"), vec![owed("p1", 0, 5), owed("p3", 60, 15)]));
    assert_eq!(
        told(&accounts),
        [
            "p1 DeleteSnapshot 30/100",
            "p1 ListBlocks 5/20",
            "p2 DeleteSnapshot 10/100",
            "p3 DeleteSnapshot 60/100",
            "p3 ListBlocks 15/20",
        ]
    );
    let without = accounts.division(|plane| plane.as_str() != "p3");
    assert_eq!(without[&PlaneId::from("p1")].len(), 1, "it lists alone");
    assert_eq!(without[&PlaneId::from("p1")][0].action, Divided::DeleteSnapshot);
    assert!(accounts.owes(&uid("x"), vec![]) && accounts.owes(&uid("y"), vec![]));
    assert!(told(&accounts).is_empty());
}
