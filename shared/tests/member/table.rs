//! Phase × order: what every order does where it does not belong.

use crate::fixtures::*;
use shared::{
    epoch::Epoch,
    member::{AttemptState, Effect, Input, Phase},
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

#[test]
fn nothing_is_obeyed_below_the_epoch() {
    for phase in LIVE.into_iter().chain([Phase::Confirmed, Phase::Broken]) {
        for order in barrier_orders().into_iter().chain([Order::Release, abort(), Order::Recover]) {
            let mut b = Bench::at_phase(phase);
            let before = b.member.clone();
            let effects = b.step(Input::Order { epoch: Epoch(6), order: order.clone() });
            assert_eq!(reasons(&effects), [Reason::EpochStale], "{phase:?} {order:?}");
            assert_eq!(effects.len(), 1);
            assert_eq!(b.member, before, "{phase:?} {order:?}");
        }
    }
}

#[test]
fn an_epoch_that_was_not_reserved_is_not_obeyed() {
    for order in barrier_orders() {
        let mut b = Bench::at_phase(Phase::Settled);
        let effects = b.step(Input::Order { epoch: Epoch(8), order: order.clone() });
        assert_eq!(reasons(&effects), [Reason::NotPrepared], "{order:?}");
    }
    let mut b = Bench::at_phase(Phase::Prepared);
    let effects = b.step(Input::Order { epoch: Epoch(5), order: Order::Reserve });
    assert_eq!(reasons(&effects), [Reason::EpochStale], "5 was obeyed by another attempt");
}

#[test]
fn a_later_order_is_refused_and_an_earlier_one_is_dead() {
    let steps = [
        (Phase::Reserved, Order::Settle(Settle::HoldPd)),
        (Phase::PdHeld, leaders()),
        (Phase::Settled, Order::Suspend),
        (Phase::Suspended, cover(1)),
        (Phase::Covered, snapshot()),
        (Phase::Snapshotted, Order::Confirm),
    ];
    for phase in LIVE {
        for (after, order) in &steps {
            let mut b = Bench::at_phase(phase);
            let before = b.member.clone();
            let effects = b.order(order.clone());
            if phase < *after {
                assert_eq!(reasons(&effects), [Reason::Internal], "{phase:?} {order:?}");
                assert_eq!(b.member, before, "{phase:?} {order:?}");
            } else if phase > *after {
                assert!(effects.len() <= 1, "{phase:?} {order:?}: {effects:?}");
                assert_eq!(b.member, before, "{phase:?} {order:?}");
            }
        }
        let mut b = Bench::at_phase(phase);
        assert_eq!(reasons(&b.order(Order::Release)), [Reason::Internal], "{phase:?}: never a good end unconfirmed");
        assert_eq!(b.phase(), phase);
    }
}

#[test]
fn abort_is_obeyed_in_every_stage() {
    for phase in ALL {
        let mut b = Bench::at_phase(phase);
        let held = touches(phase) || phase == Phase::Confirmed;
        let mut expected: Vec<Effect> =
            work_of(phase).into_iter().map(|number| Effect::CancelWork { number }).collect();
        if !matches!(phase, Phase::Idle | Phase::Preparing | Phase::Broken) {
            expected.push(save_ended(phase));
        }
        if held {
            expected.push(Effect::DropHolds { confirmed: false });
        } else {
            expected.push(say(aborted(None)));
        }
        assert_eq!(b.order(abort()), expected, "{phase:?}");
        if held {
            assert_eq!(b.order(abort()), [], "{phase:?}: said once all is let go");
            assert_eq!(b.step(Input::HoldsDropped), [say(aborted(None))], "{phase:?}");
        }
        assert_eq!(b.order(abort()), [say(aborted(None))], "{phase:?}");
        assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))], "{phase:?}");
        for order in barrier_orders() {
            assert_eq!(b.order(order), [say(aborted(None))], "{phase:?}: never re-entered");
        }
    }
}

#[test]
fn recover_ends_what_is_not_confirmed() {
    for phase in LIVE {
        let mut b = Bench::at_phase(phase);
        let effects = b.order(Order::Recover);
        assert_eq!(effects.last(), Some(&say(Answer::Recovered(Recovered::Aborted))), "{phase:?}");
        assert!(effects.contains(&save(AttemptState::Broken)), "{phase:?}");
        assert_eq!(effects.contains(&Effect::DropHolds { confirmed: false }), touches(phase), "{phase:?}");
        assert_eq!(b.phase(), Phase::Broken);
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
    let evidence = match Bench::at_phase(Phase::Confirmed).order(Order::Recover).remove(0) {
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
    assert_eq!(effects, [Effect::CancelWork { number: 1 }, save_ended(Phase::Released), say(aborted(None))]);
    assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))]);
}

#[test]
fn a_newer_attempt_of_the_same_cluster_ends_this_one() {
    for phase in LIVE {
        let mut b = Bench::at_phase(phase);
        assert_eq!(
            b.step(Input::Superseded { cluster: shared::ids::ClusterId(1), epoch: Epoch(9) }),
            [],
            "another cluster"
        );
        let effects = b.step(Input::Superseded { cluster: CLUSTER, epoch: Epoch(9) });
        assert_eq!(broken_by(&effects), Some(Reason::EpochStale), "{phase:?}");
        assert!(effects.contains(&save(AttemptState::Broken)), "{phase:?}");
    }
    let mut b = Bench::at_phase(Phase::Prepared);
    assert_eq!(b.step(Input::Superseded { cluster: CLUSTER, epoch: Epoch(9) }), []);
    assert_eq!(reasons(&b.order(Order::Reserve)), [Reason::EpochStale]);
    let mut b = Bench::at_phase(Phase::Confirmed);
    assert_eq!(
        b.step(Input::Superseded { cluster: CLUSTER, epoch: Epoch(9) }),
        [Effect::DropHolds { confirmed: true }]
    );
    assert_eq!(b.phase(), Phase::Confirmed);
}

#[test]
fn work_that_fails_breaks_the_epoch_once_it_is_saved() {
    for phase in LIVE {
        let Some(number) = work_of(phase) else { continue };
        let mut b = Bench::at_phase(phase);
        let cause = refusal(Reason::StoreUnavailable);
        assert_eq!(b.fail(number, Reason::StoreUnavailable), breaking(&[], touches(phase), cause), "{phase:?}");
    }
}
