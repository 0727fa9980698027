//! Stage × order: what every order does where it does not belong.

use crate::kit::*;
use shared::{
    epoch::Epoch,
    member::{AttemptState, Effect, Input, Stage},
    reason::{Reason, Refusal},
    wire::{Answer, Order, Recovered, Released, Settle},
};

fn barrier_orders() -> Vec<Order> {
    vec![
        Order::Reserve,
        Order::Settle(Settle::HoldPd),
        leaders(),
        Order::Suspend,
        cover(1),
        snapshot(),
        Order::Confirm,
        renew(1),
    ]
}

fn reasons(effects: &[Effect]) -> Vec<Reason> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { answer: Answer::Refused(refusal), .. } => Some(refusal.reason),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_is_obeyed_below_the_epoch() {
    for stage in LIVE.into_iter().chain([Stage::Confirmed, Stage::Broken]) {
        for order in barrier_orders().into_iter().chain([Order::Release, abort(), Order::Recover]) {
            let mut b = Bench::at_stage(stage);
            let before = b.member.clone();
            let effects = b.step(Input::Order { epoch: Epoch(6), order: order.clone() });
            assert_eq!(reasons(&effects), [Reason::EpochStale], "{stage:?} {order:?}");
            assert_eq!(effects.len(), 1);
            assert_eq!(b.member, before, "{stage:?} {order:?}");
        }
    }
}

#[test]
fn an_epoch_that_was_not_reserved_is_not_obeyed() {
    for order in barrier_orders() {
        let mut b = Bench::at_stage(Stage::Settled);
        let effects = b.step(Input::Order { epoch: Epoch(8), order: order.clone() });
        assert_eq!(reasons(&effects), [Reason::NotPrepared], "{order:?}");
    }
    let mut b = Bench::at_stage(Stage::Prepared);
    let effects = b.step(Input::Order { epoch: Epoch(5), order: Order::Reserve });
    assert_eq!(reasons(&effects), [Reason::EpochStale], "5 was obeyed by another attempt");
}

#[test]
fn a_later_order_is_refused_and_an_earlier_one_is_dead() {
    let steps = [
        (Stage::Reserved, Order::Settle(Settle::HoldPd)),
        (Stage::PdHeld, leaders()),
        (Stage::Settled, Order::Suspend),
        (Stage::Suspended, cover(1)),
        (Stage::Covered, snapshot()),
        (Stage::Snapshotted, Order::Confirm),
    ];
    for stage in LIVE {
        for (after, order) in &steps {
            let mut b = Bench::at_stage(stage);
            let before = b.member.clone();
            let effects = b.order(order.clone());
            if stage < *after {
                assert_eq!(reasons(&effects), [Reason::Internal], "{stage:?} {order:?}");
                assert_eq!(b.member, before, "{stage:?} {order:?}");
            } else if stage > *after {
                assert!(effects.len() <= 1, "{stage:?} {order:?}: {effects:?}");
                assert_eq!(b.member, before, "{stage:?} {order:?}");
            }
        }
        let mut b = Bench::at_stage(stage);
        assert_eq!(reasons(&b.order(Order::Release)), [Reason::Internal], "{stage:?}: never a good end unconfirmed");
        assert_eq!(b.stage(), stage);
    }
}

#[test]
fn abort_is_obeyed_in_every_stage() {
    for stage in ALL {
        let mut b = Bench::at_stage(stage);
        let held = touches(stage) || stage == Stage::Confirmed;
        let mut expected: Vec<Effect> =
            work_of(stage).into_iter().map(|number| Effect::CancelWork { number }).collect();
        if !matches!(stage, Stage::Idle | Stage::Preparing | Stage::Broken) {
            expected.push(save(AttemptState::Broken));
        }
        if held {
            expected.push(Effect::LetGo { good: false });
        } else {
            expected.push(say(aborted(None)));
        }
        assert_eq!(b.order(abort()), expected, "{stage:?}");
        if held {
            assert_eq!(b.order(abort()), [], "{stage:?}: said once all is let go");
            assert_eq!(b.step(Input::LetGone), [say(aborted(None))], "{stage:?}");
        }
        assert_eq!(b.order(abort()), [say(aborted(None))], "{stage:?}");
        assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))], "{stage:?}");
        for order in barrier_orders() {
            assert_eq!(b.order(order), [say(aborted(None))], "{stage:?}: never re-entered");
        }
    }
}

#[test]
fn recover_ends_what_is_not_confirmed() {
    for stage in LIVE {
        let mut b = Bench::at_stage(stage);
        let effects = b.order(Order::Recover);
        assert_eq!(effects.last(), Some(&say(Answer::Recovered(Recovered::Aborted))), "{stage:?}");
        assert!(effects.contains(&save(AttemptState::Broken)), "{stage:?}");
        assert_eq!(effects.contains(&Effect::LetGo { good: false }), touches(stage), "{stage:?}");
        assert_eq!(b.stage(), Stage::Broken);
    }
}

#[test]
fn a_restarted_plane_answers_only_recover_release_and_abort() {
    for state in [AttemptState::Live, AttemptState::Broken] {
        for order in barrier_orders().into_iter().chain([prepare(1, true)]) {
            let mut b = Bench::restored(state.clone());
            let effects = b.order(order.clone());
            assert_eq!(reasons(&effects), [Reason::PlaneRestarted], "{order:?}");
            assert_eq!(effects.len(), 1);
        }
        let mut b = Bench::restored(state.clone());
        assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))]);
        let cause = Refusal::new(Reason::PlaneRestarted, "the plane actor restarted within this attempt");
        assert_eq!(b.order(abort()), [say(aborted(Some(cause.clone())))]);
        assert_eq!(b.order(Order::Release), [say(aborted(Some(cause)))]);
        assert_eq!(reasons(&b.order(complete())), [Reason::EvidenceBroken], "an aborted attempt is never completed");
    }
    let evidence = match Bench::at_stage(Stage::Confirmed).order(Order::Recover).remove(0) {
        Effect::Send { answer: Answer::Recovered(Recovered::Evidence(evidence)), .. } => evidence,
        other => panic!("{other:?}"),
    };
    let mut b = Bench::restored(AttemptState::Confirmed(evidence));
    for order in barrier_orders() {
        assert_eq!(reasons(&b.order(order)), [Reason::PlaneRestarted]);
    }
    assert_eq!(b.order(Order::Release), [say(Answer::Released(Released {}))]);
    assert!(matches!(&b.order(complete())[..], [Effect::Work { .. }]));
    let effects = b.order(abort());
    assert_eq!(effects, [Effect::CancelWork { number: 1 }, save(AttemptState::Broken), say(aborted(None))]);
    assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))]);
}

#[test]
fn a_newer_attempt_of_the_same_cluster_ends_this_one() {
    for stage in LIVE {
        let mut b = Bench::at_stage(stage);
        assert_eq!(
            b.step(Input::Outbid { cluster: shared::ids::ClusterId(1), epoch: Epoch(9) }),
            [],
            "another cluster"
        );
        let effects = b.step(Input::Outbid { cluster: CLUSTER, epoch: Epoch(9) });
        assert_eq!(broken_by(&effects), Some(Reason::EpochStale), "{stage:?}");
        assert!(effects.contains(&save(AttemptState::Broken)), "{stage:?}");
    }
    let mut b = Bench::at_stage(Stage::Prepared);
    assert_eq!(b.step(Input::Outbid { cluster: CLUSTER, epoch: Epoch(9) }), []);
    assert_eq!(reasons(&b.order(Order::Reserve)), [Reason::EpochStale]);
    let mut b = Bench::at_stage(Stage::Confirmed);
    assert_eq!(b.step(Input::Outbid { cluster: CLUSTER, epoch: Epoch(9) }), [Effect::LetGo { good: true }]);
    assert_eq!(b.stage(), Stage::Confirmed);
}

#[test]
fn work_that_fails_breaks_the_epoch_once_it_is_saved() {
    for stage in LIVE {
        let Some(number) = work_of(stage) else { continue };
        let mut b = Bench::at_stage(stage);
        let cause = refusal(Reason::StoreUnavailable);
        assert_eq!(b.fail(number, Reason::StoreUnavailable), breaking(&[], touches(stage), cause), "{stage:?}");
    }
}
