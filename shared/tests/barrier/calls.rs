//! CreateSnapshots calls: divided among the planes of one account, and refused where the hold is too short for them.

use crate::fixtures::*;
use shared::{
    barrier::{Effect, Input, Phase},
    epoch::Epoch,
    ids::InstanceId,
    limiter::Budget,
    reason::Reason,
    time::Millis,
    wire::{Answer, CallBudgets, CallShare, Order, Prepared, Reserved, Suspended},
};

/// Parts of CreateSnapshots and of CreateSnapshot.
type Parts = (Option<CallShare>, Option<CallShare>);

/// What plane `i` is told with the order for snapshots, where planes prepared this.
fn told_parts(prepared: impl Fn(usize) -> Prepared, i: usize) -> Parts {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(prepared(i)));
    kit.feed(Input::Claimed(Epoch(5)));
    kit.all(|_| Answer::Reserved(Reserved {}));
    kit.says(0, pd_held());
    kit.all(leaders);
    kit.all(|_| Answer::Suspended(Suspended { stores: 1 }));
    kit.all(|i| covered(i, 1));
    let parts = kit.raw(Input::PlaneUp(plane(i))).into_iter().find_map(|effect| match effect {
        Effect::Send { order: Order::Snapshot(snapshot), .. } => Some((snapshot.share, snapshot.one_volume)),
        _ => None,
    });
    parts.expect("snapshots are ordered")
}

fn told_share(accounts: [&str; 3], i: usize) -> Option<CallShare> {
    let (share, one_volume) = told_parts(|i| Prepared { account: accounts[i].into(), ..prepared(i, 1) }, i);
    assert_eq!(one_volume, None, "all calls fit at once");
    share
}

/// So many stores with one volume and with two, each on an instance of its own, by a role that may do both or not.
fn large(i: usize, ones: u64, twos: u64, allowed: bool) -> Prepared {
    let of = |stores, volumes| match crate::room::large_prepared(i, stores, volumes) {
        Answer::Prepared(prepared) => prepared,
        other => panic!("{other:?}"),
    };
    let mut prepared = of(ones + twos, 1);
    let mut second = of(ones + twos, 2).stores;
    prepared.stores.truncate(ones as usize);
    prepared.stores.extend(second.drain(ones as usize..));
    let one_volume = allowed.then_some(Budget::EC2_CREATE_SNAPSHOT);
    Prepared { budgets: Some(CallBudgets { sets: Budget::EC2_CREATE_SNAPSHOTS, one_volume }), ..prepared }
}

/// The same of every plane; how it is refused with this hold limit, if it is.
fn refusal(prepared: impl Fn(usize) -> Prepared, hold: Millis) -> Option<String> {
    let mut request = request();
    request.limits.hold = hold;
    let mut kit = Kit::new(request);
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(prepared(i)));
    let failure = kit.view().record.failure?;
    assert_eq!(failure.reason, Reason::HoldTooShort);
    Some(failure.message)
}

/// 300 calls: 100 at once from each bucket, and the rest at 5 a second from each.
#[test]
fn instances_with_one_volume_go_through_both_buckets_in_equal_measure() {
    let (share, one_volume) = told_parts(|i| large(i, 100, 0, true), 1);
    assert_eq!(share, Some(CallShare { calls: 100 * 150, of: 300 * 150 }));
    assert_eq!(one_volume, Some(CallShare { calls: 100, of: 300 }));
    let both = |hold| refusal(|i| large(i, 100, 0, true), hold);
    assert_eq!(both(Millis(10_001)), None);
    let refused = both(Millis(10_000)).unwrap();
    for part in [
        "300 instances in account 1, region eu-west-1, are 150 CreateSnapshots calls (100 at once, then 5 a second) and 150",
        "CreateSnapshot calls (100 at once, then 5 a second), which EC2 takes in 10 s at best; spec.barrier.holdTimeout is 10 s",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(!refused.contains("ec2:CreateSnapshot"), "{refused}");
}

#[test]
fn a_role_that_may_not_is_told_what_it_would_gain() {
    assert_eq!(told_parts(|i| large(i, 100, 0, false), 0), (Some(CallShare { calls: 100, of: 300 }), None));
    let refused = refusal(|i| large(i, 100, 0, false), Millis::secs(40)).unwrap();
    assert!(refused.contains("300 CreateSnapshots calls") && refused.contains("takes in 40 s"), "{refused}");
    assert!(refused.contains("300 of these instances have one volume") && refused.contains("ec2:CreateSnapshot"));
}

/// Where some can only be sets, the others leave them their bucket.
#[test]
fn several_volumes_never_leave_their_one_call() {
    // az1 has pairs alone, az2 and az3 single volumes alone: 100 sets, and 200 that may be either.
    let mixed = |i: usize| if i == 0 { large(i, 0, 100, true) } else { large(i, 100, 0, true) };
    assert_eq!(told_parts(mixed, 0), (Some(CallShare { calls: 100 * 200, of: 150 * 200 }), None));
    let either = Some(CallShare { calls: 100, of: 200 });
    assert_eq!(told_parts(mixed, 2), (Some(CallShare { calls: 100 * 50, of: 150 * 200 }), either));
    assert_eq!(refusal(mixed, Millis(10_001)), None);
    // 240 sets are more than half of all 300: their bucket is the slow one, and is theirs alone.
    let mostly = |i| large(i, 20, 80, true);
    assert_eq!(told_parts(mostly, 1).0, Some(CallShare { calls: 80 * 60, of: 240 * 60 }));
    assert!(refusal(mostly, Millis::secs(28)).unwrap().contains("240 CreateSnapshots calls"));
    assert_eq!(refusal(mostly, Millis(28_001)), None);
}

/// A quota that AWS has raised is said by a plane; the smallest that is said counts.
#[test]
fn the_quota_that_planes_know_is_reckoned_with() {
    let raised = |i: usize, rate| {
        let budgets = CallBudgets { sets: Budget::whole(rate, 100), one_volume: None };
        Prepared { budgets: Some(budgets), ..large(i, 0, 100, false) }
    };
    assert_eq!(refusal(|i| raised(i, 20), Millis(10_001)), None);
    for slow in [0, 2] {
        let refused = refusal(|i| raised(i, if i == slow { 10 } else { 20 }), Millis(10_001)).unwrap();
        assert!(refused.contains("then 10 a second") && refused.contains("takes in 20 s"), "{refused}");
    }
}

#[test]
fn planes_of_one_account_divide_its_calls() {
    assert_eq!(told_share(["1", "1", "1"], 0), Some(CallShare { calls: 1, of: 3 }));
    assert_eq!(told_share(["1", "2", "1"], 2), Some(CallShare { calls: 1, of: 2 }));
    assert_eq!(told_share(["1", "2", "1"], 1), None, "it has the account alone");
}

#[test]
fn calls_that_take_longer_than_the_hold_are_refused_before_anything_is_held() {
    for (stores, refused) in [(133, false), (134, true)] {
        let mut kit = Kit::new(request());
        let limit = kit.view().record.request.limits.hold;
        assert_eq!(limit, Millis::secs(60));
        kit.feed(Input::Start);
        (0..3).for_each(|i| drop(kit.up(i)));
        let lines = kit.all(|i| crate::room::large_prepared(i, stores, 1));
        assert_eq!(lines == ["claim above 4"], !refused, "{stores}: {lines:?}");
        let failure = kit.view().record.failure.clone();
        assert_eq!(failure.as_ref().map(|failure| failure.reason), refused.then_some(Reason::HoldTooShort));
        if let Some(failure) = failure {
            for number in ["402 instances", "account 1", "60400 ms", "100 at once", "5 a second", "60 s"] {
                assert!(failure.message.contains(number), "{number}: {}", failure.message);
            }
        }
    }
}

/// Several stores of one instance are one call.
#[test]
fn calls_are_counted_by_instance() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let lines = kit.all(|i| {
        let Answer::Prepared(mut prepared) = crate::room::large_prepared(i, 200, 1) else { unreachable!() };
        for (at, store) in prepared.stores.iter_mut().enumerate() {
            store.instance = InstanceId::new(format!("i-{i}-{}", at / 2));
        }
        Answer::Prepared(prepared)
    });
    assert_eq!(lines, ["claim above 4"]);
}

/// What plane `i` is told of its account's deletions when it comes back, while these have been cleaned and these are away.
fn told_deletions(accounts: [&str; 3], i: usize, cleaned: &[usize], away: &[usize]) -> Option<CallShare> {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let volumes = |i: usize| large(i, 20 - 10 * i as u64, 10 * i as u64, false);
    kit.all(|i| Answer::Prepared(Prepared { account: accounts[i].into(), ..volumes(i) }));
    kit.feed(Input::Claimed(Epoch(5)));
    kit.feed(Input::Cancel);
    kit.all(|_| aborted());
    assert_eq!(kit.view().phase, Phase::Failed);
    cleaned.iter().for_each(|i| drop(kit.says(*i, clean())));
    away.iter().for_each(|i| drop(kit.feed(Input::PlaneDown(plane(*i)))));
    let share = kit.raw(Input::PlaneUp(plane(i))).into_iter().find_map(|effect| match effect {
        Effect::Send { order: Order::Clean(clean), .. } => Some(clean.share),
        _ => None,
    });
    share.expect("it cleans")
}

#[test]
fn planes_of_one_account_divide_its_deletions_by_their_volumes_while_others_are_at_it() {
    let share = |calls, of| Some(CallShare { calls, of });
    assert_eq!(told_deletions(["1", "1", "1"], 0, &[], &[]), share(20, 90));
    assert_eq!(told_deletions(["1", "1", "1"], 2, &[], &[]), share(40, 90));
    assert_eq!(told_deletions(["1", "2", "1"], 2, &[], &[]), share(40, 60), "another account is another bucket");
    assert_eq!(told_deletions(["1", "1", "1"], 2, &[1], &[]), share(40, 60), "one is through");
    assert_eq!(told_deletions(["1", "1", "1"], 2, &[], &[0, 1]), None, "nobody else is there");
    assert_eq!(told_deletions(["", "", ""], 2, &[], &[]), None, "nobody knows where they work");
}
