//! Moments: when each step began, and when each plane had answered it.

use crate::fixtures::*;
use shared::{
    barrier::{Certificate, Input, Phase, Record, StepMoments, Timer},
    epoch::Epoch,
    ids::InstanceId,
    machine::Machine,
    time::Millis,
    wire::{Answer, Order, Released, Reserved, Snapshotted, Suspended},
};
use std::collections::BTreeMap;

/// Each plane answers 10 ms after the one before it.
fn slowly(kit: &mut Kit, answer: impl Fn(usize) -> Answer) {
    for i in 0..3 {
        kit.later(10);
        kit.says(i, answer(i));
    }
}

fn begun() -> Kit {
    let mut kit = Kit::new(request());
    kit.later(5_000);
    kit.feed(Input::Start);
    for i in 0..3 {
        kit.later(100);
        kit.up(i);
    }
    kit
}

fn to_confirmed() -> Kit {
    let mut kit = begun();
    slowly(&mut kit, |i| Answer::Prepared(prepared(i, 1)));
    kit.later(7);
    kit.feed(Input::Claimed(Epoch(5)));
    slowly(&mut kit, |_| Answer::Reserved(Reserved {}));
    kit.later(10);
    kit.says(0, pd_held());
    slowly(&mut kit, leaders);
    slowly(&mut kit, |_| Answer::Suspended(Suspended { stores: 1 }));
    slowly(&mut kit, |i| covered(i, 1));
    slowly(&mut kit, |i| Answer::Snapshotted(Snapshotted { snapshots: snapshots(i), accepted: accepted(i) }));
    slowly(&mut kit, confirmed);
    kit
}

fn steps(kit: &Kit) -> Vec<(Phase, u64, Vec<u64>)> {
    let row = |of: &StepMoments| (of.step, of.began.0, of.answered.values().map(|at| at.0).collect());
    kit.view().record.moments.steps().iter().map(row).collect()
}

#[test]
fn every_step_says_when_it_began_and_who_had_answered_when() {
    let mut kit = to_confirmed();
    slowly(&mut kit, |_| Answer::Released(Released {}));
    slowly(&mut kit, |_| done());
    assert_eq!(
        steps(&kit),
        [
            (Phase::Preparing, 0, vec![310, 320, 330]),
            (Phase::Claiming, 330, vec![]),
            (Phase::Reserving, 337, vec![347, 357, 367]),
            (Phase::Settling, 367, vec![387, 397, 407]),
            (Phase::Suspending, 407, vec![417, 427, 437]),
            (Phase::Covering, 437, vec![447, 457, 467]),
            (Phase::Snapshotting, 467, vec![477, 487, 497]),
            (Phase::Confirming, 497, vec![507, 517, 527]),
            (Phase::Releasing, 527, vec![537, 547, 557]),
            (Phase::Completing, 557, vec![567, 577, 587]),
            (Phase::Complete, 587, vec![]),
        ]
    );
    let record = kit.view().record;
    let calls = &record.moments.steps()[6].accepted;
    let at = |i: usize| BTreeMap::from([(InstanceId::new(format!("i-{i}")), Millis(477 + i as u64))]);
    assert_eq!(*calls, BTreeMap::from([(plane(0), at(0)), (plane(1), at(1)), (plane(2), at(2))]));
    let stored: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(stored, record);
}

/// What the order says must not depend on who has answered it already, or each repetition would begin the work anew.
#[test]
fn the_certificates_file_has_those_that_nothing_changes_any_more() {
    let mut kit = to_confirmed();
    slowly(&mut kit, |_| Answer::Released(Released {}));
    let order = |kit: &mut Kit| {
        kit.feed(Input::PlaneDown(plane(2)));
        let effects = kit.raw(Input::PlaneUp(plane(2)));
        let text = effects.into_iter().find_map(|effect| match effect {
            shared::barrier::Effect::Send { order: Order::Complete(complete), .. } => Some(complete.certificate),
            _ => None,
        });
        text.expect("Complete is repeated")
    };
    let first = order(&mut kit);
    kit.later(10);
    kit.says(0, done());
    assert_eq!(order(&mut kit), first);
    let file: serde_json::Value = serde_json::from_str(&first).unwrap();
    let named: Vec<&str> = file["moments"].as_array().unwrap().iter().filter_map(|of| of["step"].as_str()).collect();
    assert_eq!(named.last(), Some(&"Confirming"), "{named:?}");
    assert_eq!(file["moments"][6]["answered"]["az3"], 497);
    assert!(serde_json::from_value::<Certificate>(file["certificate"].clone()).is_ok());
}

#[test]
fn a_restart_forgets_the_clock_and_keeps_what_was_stored() {
    let kit = to_confirmed();
    let before = steps(&kit);
    let mut kit = Kit::of(kit.view().record);
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.later(10);
    slowly(&mut kit, |_| Answer::Released(Released {}));
    slowly(&mut kit, |_| done());
    assert_eq!(kit.view().phase, Phase::Complete);
    assert_eq!(steps(&kit), before, "nothing is told by a clock that began elsewhere");
}

#[test]
fn who_waited_for_the_claim_begins_with_the_last_time_that_it_prepared() {
    let mut kit = begun();
    slowly(&mut kit, |i| Answer::Prepared(prepared(i, 1)));
    kit.feed(Input::ClaimTaken("another".to_owned()));
    kit.later(60_000);
    kit.feed(Input::ClaimFree);
    assert_eq!(steps(&kit), [(Phase::Preparing, 0, vec![])]);
}

#[test]
fn another_attempt_has_moments_of_its_own() {
    let mut request = request();
    request.retry_within = Some(Millis::secs(3_600));
    let mut kit = Kit::new(request);
    kit.feed(Input::Start);
    kit.expire(Timer::Connect);
    for i in 0..3 {
        kit.up(i);
        kit.says(i, aborted());
        kit.says(i, clean());
    }
    while kit.view().record.attempt == 1 {
        let (at, timer) = kit.machine.deadline().expect("another attempt is to begin");
        kit.now.at = kit.now.at.max(at);
        kit.feed(shared::barrier::Barrier::expired(timer));
    }
    assert_eq!(steps(&kit), [(Phase::Preparing, 0, vec![])]);
}
