//! How a restore ends otherwise, and what is taken away then.

use crate::fixtures::{PLANES, Play, Told, answer, now, plane, request};
use shared::{
    machine::Machine,
    reason::{Reason, Refusal},
    restoring::{DrillLevel, Input, RestoreCleanPolicy, RestoreRequest, Restoring, Stage, Timer},
    wire::{RestoreAnswer, RestoreOrder, Undone},
};

fn refused(play: &mut Play, reason: Reason) {
    let (plane, order) = play.orders().remove(0);
    play.say(&plane, &order, RestoreAnswer::Refused(Refusal::new(reason, "no")));
}

/// At each stage of a cluster: a refusal for good, and what is ordered then.
#[test]
fn before_tikv_is_started_everything_is_undone_and_after_it_nothing_is() {
    let stages =
        Stage::ALL.into_iter().filter(|stage| stage.runs() && !matches!(stage, Stage::Claiming | Stage::Warming));
    for stage in stages {
        let mut play = Play::new(request());
        play.until(stage);
        refused(&mut play, Reason::AccessDenied);
        let (at, refusal) = play.saved.failure.clone().unwrap();
        assert_eq!((at, refusal.reason), (stage, Reason::AccessDenied));
        assert!(refusal.message.starts_with("plane az1: "), "{refusal}");
        let undone = (Stage::Marking..Stage::Starting).contains(&stage);
        let next = if undone { Stage::Undoing } else { Stage::Failed };
        assert_eq!(play.machine.record().stage, next, "{stage:?}");
        if undone {
            let orders = play.orders();
            let names: Vec<_> = orders.iter().map(|(plane, order)| (plane.as_str(), &order.order)).collect();
            let undo = RestoreOrder::Undo { unmark: true, started: false };
            assert_eq!(names, [(PLANES[0], &undo), (PLANES[1], &undo)], "{stage:?}");
            for (plane, order) in orders {
                play.say(&plane, &order, answer(&plane, &order));
            }
            assert_eq!(play.machine.record().stage, Stage::Failed);
        }
        assert_eq!(play.told.contains(&Told::GivenBack), stage >= Stage::Confirming, "{stage:?}");
    }
}

#[test]
fn what_may_pass_is_ordered_again_and_a_stage_that_takes_too_long_fails_by_name() {
    let mut play = Play::new(request());
    play.until(Stage::Building);
    refused(&mut play, Reason::Ec2Unavailable);
    assert_eq!(play.machine.record().stage, Stage::Building);
    let (due, timer) = play.machine.deadline().unwrap();
    assert_eq!(timer, Timer::Again);
    play.seconds = due.0 / 1000 + 1;
    play.step(Input::Expired(timer));
    let orders = play.orders();
    assert_eq!(orders.len(), 1, "{orders:?}");
    play.step(Input::PlaneDown(plane("az2")));
    play.step(Input::Expired(Timer::Stage));
    let (stage, refusal) = play.saved.failure.clone().unwrap();
    assert_eq!((stage, refusal.reason), (Stage::Building, Reason::RestoreTimedOut));
    assert!(refusal.message.contains("plane az2 is not connected"), "{refusal}");
}

#[test]
fn what_could_not_be_taken_away_is_asked_for_until_it_is() {
    let mut play = Play::new(RestoreRequest { drill: Some(DrillLevel::Volumes), ..request() });
    play.until(Stage::Undoing);
    let orders = play.orders();
    let (first, order) = &orders[0];
    for round in 0..5 {
        let left = Undone { deleted: 1, left: vec!["vol-1 is in use".to_owned()] };
        play.say(first, order, RestoreAnswer::Undone(left));
        assert_eq!(play.saved.planes[first].left, ["vol-1 is in use"], "{round}");
        play.seconds += 1000;
        play.step(Input::Expired(Timer::Again));
        assert_eq!(play.orders().len(), 1);
    }
    // Refusals for good are no end either.
    play.say(first, order, RestoreAnswer::Refused(Refusal::new(Reason::AccessDenied, "no")));
    assert_eq!(play.machine.record().stage, Stage::Undoing);
    for (plane, order) in &orders {
        play.say(plane, order, answer(plane, order));
    }
    assert_eq!((play.machine.record().stage, play.saved.planes[first].deleted), (Stage::Complete, 6));
}

#[test]
fn a_cancelled_restore_is_undone_and_one_that_has_started_stays() {
    for (stage, next) in
        [(Stage::Placing, Stage::Undoing), (Stage::Leading, Stage::Failed), (Stage::Looking, Stage::Failed)]
    {
        let mut play = Play::new(request());
        play.until(stage);
        play.step(Input::Cancel);
        assert_eq!(play.machine.record().stage, next);
        assert_eq!(play.saved.failure.as_ref().unwrap().1.reason, Reason::Cancelled);
    }
}

#[test]
fn the_object_goes_when_what_its_policy_names_is_gone() {
    let table = [
        (Stage::Looking, RestoreCleanPolicy::Retain, false),
        (Stage::Building, RestoreCleanPolicy::Retain, true),
        (Stage::Leading, RestoreCleanPolicy::Retain, false),
        (Stage::Leading, RestoreCleanPolicy::Delete, true),
        (Stage::Complete, RestoreCleanPolicy::Retain, false),
        (Stage::Complete, RestoreCleanPolicy::Delete, true),
    ];
    for (stage, policy, undoes) in table {
        let mut play = Play::new(RestoreRequest { clean_policy: policy, ..request() });
        play.until(stage);
        play.told.clear();
        play.step(Input::Delete(policy));
        assert_eq!(play.machine.record().stage == Stage::Undoing, undoes, "{stage:?} {policy:?}");
        // Told again by every resync.
        play.step(Input::Delete(policy));
        for (plane, order) in play.orders() {
            play.say(&plane, &order, answer(&plane, &order));
        }
        assert_eq!(play.machine.record().stage, Stage::Cleaned, "{stage:?} {policy:?}");
        let gone = Play::of(play.saved.clone()).told.contains(&Told::Gone);
        assert!(gone, "a process that takes over lets the object go, too");
    }
}

/// The policy may be made safer at the end, and not the other way round.
#[test]
fn a_policy_that_keeps_more_counts_at_deletion() {
    let mut play = Play::new(RestoreRequest { clean_policy: RestoreCleanPolicy::Delete, ..request() });
    play.until(Stage::Complete);
    play.step(Input::Delete(RestoreCleanPolicy::Retain));
    assert_eq!(play.machine.record().stage, Stage::Cleaned);
    let mut play = Play::new(request());
    play.until(Stage::Complete);
    play.step(Input::Delete(RestoreCleanPolicy::Delete));
    assert_eq!(play.machine.record().stage, Stage::Cleaned, "it was restored under Retain");
}

#[test]
fn whoever_holds_the_cluster_is_waited_for() {
    let mut play = Play::new(request());
    play.until(Stage::Claiming);
    play.step(Input::ClaimTaken("br/nightly".to_owned()));
    assert_eq!(play.machine.view().claim_holder, "br/nightly");
    assert_eq!(play.machine.deadline(), None, "a backup takes as long as it takes");
    play.told.clear();
    play.step(Input::ClaimFree);
    assert_eq!(play.told, [Told::Claimed]);
    play.step(Input::Claimed(shared::epoch::Epoch(4)));
    assert_eq!(play.machine.record().stage, Stage::Claiming, "an epoch that planes have obeyed already is none");
}

#[test]
fn late_and_foreign_answers_change_nothing() {
    let mut play = Play::new(request());
    play.until(Stage::Building);
    let (plane, order) = play.orders().remove(0);
    let before = play.machine.record().clone();
    let looked = crate::fixtures::looked(&plane, false);
    play.say(&plane, &order, RestoreAnswer::Looked(Box::new(looked)));
    let mut old = order.clone();
    old.epoch = shared::epoch::Epoch::NONE;
    play.say(&plane, &old, answer(&plane, &order));
    play.say(&crate::fixtures::plane("az9"), &order, answer(&plane, &order));
    assert_eq!(*play.machine.record(), before);
    // A record that breaks a rule must not make it panic.
    let mut machine = Restoring::new(before);
    machine.step(now(9), Input::Expired(Timer::Again));
}
