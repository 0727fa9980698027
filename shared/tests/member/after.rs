//! Completing and cleaning: by attempt, not by phase, and never against what is saved.

use crate::fixtures::*;
use shared::{
    epoch::Epoch,
    member::{AttemptState, Done, Effect, Input, Phase, Work},
    reason::{Reason, Refusal},
    wire::{Answer, CleanScope, Measured, Order, Recovered},
};

#[test]
fn a_plane_that_knows_nothing_completes_and_cleans() {
    let mut b = Bench::new();
    assert!(matches!(&b.order(complete())[..], [Effect::Work { work: Work::Complete { .. }, .. }]));
    assert_eq!(b.order(complete()), []);
    let effects = b.order(clean(CleanScope::Backup));
    assert!(
        matches!(&effects[..], [Effect::CancelWork { number: 1 }, Effect::Work { work: Work::Clean { .. }, .. }]),
        "{effects:?}"
    );
}

#[test]
fn a_failed_completion_is_begun_anew_when_asked_again() {
    let mut b = Bench::at_phase(Phase::Released);
    b.order(complete());
    let effects = b.fail(10, Reason::StorageUnavailable);
    assert!(matches!(&effects[..], [Effect::Send { answer: Answer::Refused(_), .. }]));
    assert_eq!(b.phase(), Phase::Released);
    assert!(matches!(&b.order(complete())[..], [Effect::Work { number: 11, .. }]));
}

#[test]
fn cleaning_an_attempt_takes_its_evidence_back_first() {
    for phase in LIVE.into_iter().chain([Phase::Confirmed, Phase::Released]) {
        for scope in [CleanScope::Attempt, CleanScope::Backup] {
            let mut b = Bench::at_phase(phase);
            let effects = b.order(clean(scope));
            let saved = effects.iter().position(|effect| *effect == save_ended(phase)).expect("saved");
            let begun = effects.iter().position(|effect| matches!(effect, Effect::Work { .. })).expect("begun");
            assert!(saved < begun, "{phase:?}: {effects:?}");
            assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Aborted))], "{phase:?}");
        }
    }
    let mut b = Bench::at_phase(Phase::Released);
    let effects = b.order(clean(CleanScope::Surplus));
    assert!(matches!(&effects[..], [Effect::Work { .. }]), "a surplus does not touch the evidence: {effects:?}");
}

#[test]
fn completing_without_evidence_is_refused() {
    for phase in LIVE.into_iter().chain([Phase::Broken, Phase::Prepared]) {
        for order in [complete(), clean(CleanScope::Surplus)] {
            let mut b = Bench::at_phase(phase);
            let effects = b.order(order);
            assert!(
                matches!(&effects[..], [Effect::Send { answer: Answer::Refused(r), .. }] if r.reason == Reason::EvidenceBroken),
                "{phase:?}: {effects:?}"
            );
            assert_eq!(b.phase(), phase);
        }
    }
}

/// The coordinator had saved the bad end before it took the evidence back: who asks for completion now has an older record.
#[test]
fn what_was_taken_back_is_told_to_be() {
    for phase in [Phase::Confirmed, Phase::Released] {
        for end in [abort(), clean(CleanScope::Attempt), clean(CleanScope::Backup)] {
            let mut b = Bench::at_phase(phase);
            let saved = b.order(end.clone()).into_iter().find_map(|effect| match effect {
                Effect::Save(record) => Some(*record),
                _ => None,
            });
            let mut effects = b.order(complete());
            if phase == Phase::Confirmed {
                assert_eq!(effects, [], "{end:?}: what it held is being let go");
                effects = b.step(Input::HoldsDropped);
            }
            assert_eq!(effects, [say(aborted(None))], "{phase:?}, {end:?}");
            let cause = Refusal::new(Reason::PlaneRestarted, "the plane actor restarted within this attempt");
            let mut restarted = Bench::kept(saved.expect("saved"));
            assert_eq!(restarted.order(complete()), [say(aborted(Some(cause)))], "{phase:?}, {end:?}");
            let other = Input::Order { epoch: Epoch(E.0 + 1), order: complete() };
            assert_eq!(reasons(&restarted.step(other)), [Reason::EvidenceBroken], "of another epoch nothing is known");
        }
    }
    for lost in [AttemptState::Live, AttemptState::Broken] {
        let refused = reasons(&Bench::restored(lost).order(complete()));
        assert_eq!(refused, [Reason::EvidenceBroken], "a ledger that is from before the confirmation proves nothing");
    }
}

#[test]
fn completing_lets_go_when_the_release_was_lost() {
    let mut b = Bench::at_phase(Phase::Confirmed);
    let effects = b.order(complete());
    assert!(matches!(&effects[..], [Effect::DropHolds { confirmed: true }, Effect::Work { .. }]), "{effects:?}");
}

#[test]
fn what_was_added_is_counted_for_whoever_has_the_certificate() {
    for mut b in [Bench::new(), Bench::at_phase(Phase::Released)] {
        let effects = b.order(measure(16));
        let [Effect::Work { number, work: Work::Measure(order) }] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(order.from, 16);
        assert_eq!(b.order(measure(16)), [], "it is under way");
        let told = Measured { from: 16, bytes: 9, ..Measured::default() };
        assert_eq!(b.done(*number, Done::Measured(told.clone())), [say(Answer::Measured(told.clone()))]);
        assert_eq!(b.order(measure(16)), [say(Answer::Measured(told))], "the answer was lost");
        let effects = b.order(measure(32));
        let [Effect::Work { number, .. }] = &effects[..] else { panic!("{effects:?}") };
        let other = Measured { from: 16, ..Measured::default() };
        let effects = b.done(*number, Done::Measured(other));
        assert_eq!(reasons(&effects), [Reason::Internal], "another part's result: {effects:?}");
    }
    let mut b = Bench::at_phase(Phase::Broken);
    assert_eq!(reasons(&b.order(measure(0))), [Reason::EvidenceBroken]);
}
