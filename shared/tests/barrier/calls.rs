//! CreateSnapshots calls: divided among the planes of one account, and refused where the hold is too short for them.

use crate::fixtures::*;
use shared::{
    barrier::{Effect, Input},
    epoch::Epoch,
    ids::InstanceId,
    reason::Reason,
    time::Millis,
    wire::{Answer, CallShare, Order, Prepared, Reserved, Suspended},
};

/// What plane `i` is told with the order for snapshots, where it prepared in this account.
fn told_share(accounts: [&str; 3], i: usize) -> Option<CallShare> {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(Prepared { account: accounts[i].into(), ..prepared(i, 1) }));
    kit.feed(Input::Claimed(Epoch(5)));
    kit.all(|_| Answer::Reserved(Reserved {}));
    kit.says(0, pd_held());
    kit.all(leaders);
    kit.all(|_| Answer::Suspended(Suspended { stores: 1 }));
    kit.all(|i| covered(i, 1));
    kit.raw(Input::PlaneUp(plane(i))).into_iter().find_map(|effect| match effect {
        Effect::Send { order: Order::Snapshot(snapshot), .. } => Some(snapshot.share),
        _ => None,
    })?
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
