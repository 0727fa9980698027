//! What a plane refuses stays in view until it is over: no step that goes on until it succeeds is stuck in silence.

use crate::fixtures::*;
use shared::{
    barrier::{Barrier, Clock, Effect, Input, LastRefusal, Milestone, Phase, Timer, View},
    machine::Machine,
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
    wire::{Answer, CleanReport, Cleaned, Order, Released},
};
use std::collections::BTreeSet;

fn denied() -> Answer {
    Answer::Refused(Refusal::new(Reason::AccessDenied, "s3:PutObject"))
}

fn unavailable() -> Answer {
    Answer::Refused(Refusal::new(Reason::StorageUnavailable, "503"))
}

fn last(view: &View, i: usize) -> Option<LastRefusal> {
    view.planes[&plane(i)].refused.clone()
}

fn aborting(kit: &mut Kit) -> Vec<String> {
    kit.snapshotting();
    kit.feed(Input::Cancel)
}

fn failed(kit: &mut Kit) -> Vec<String> {
    aborting(kit);
    kit.all(|_| aborted())
}

fn recovering(kit: &mut Kit) -> Vec<String> {
    kit.snapshotting();
    *kit = Kit::of(kit.view().record);
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    vec![]
}

fn cleaning(kit: &mut Kit) -> Vec<String> {
    kit.complete();
    kit.feed(Input::Delete(shared::request::CleanPolicy::Delete))
}

/// Each step that a refusal does not end, how it is answered well in the end, and the clock that ends it.
type Case = (Phase, fn(&mut Kit) -> Vec<String>, fn(usize) -> Answer, Option<Clock>);

const STEPS: [Case; 6] = [
    (Phase::Releasing, Kit::releasing, |_| Answer::Released(Released {}), Some(Clock::HoldsEnd)),
    (Phase::Completing, Kit::completing, |_| done(), None),
    (Phase::Aborting, aborting, |_| aborted(), Some(Clock::HoldsEnd)),
    (Phase::Recovering, recovering, told, Some(Clock::Recover)),
    (Phase::Failed, failed, |_| clean(), None),
    (Phase::Cleaning, cleaning, |_| clean(), None),
];

#[test]
fn the_last_refusal_of_every_step_is_in_view_until_the_plane_says_yes() {
    for (step, go, good, clock) in STEPS {
        let mut kit = Kit::new(request());
        go(&mut kit);
        assert_eq!((kit.view().phase, kit.view().clock.map(|(clock, _)| clock)), (step, clock));
        assert!(kit.says(1, denied()).is_empty(), "{step:?}");
        let view = kit.view();
        let refusal = last(&view, 1).expect("in view").refusal;
        assert_eq!((refusal.reason, refusal.message.as_str()), (Reason::AccessDenied, "s3:PutObject"), "{step:?}");
        assert!(view.waiting_for.contains("az2 (refused last: AccessDenied)"), "{step:?}: {}", view.waiting_for);
        assert_eq!(view.blocked_by(), BTreeSet::from([Reason::AccessDenied]), "{step:?}");
        // Repeated: still there, whether its session lasts or not.
        kit.expire(Timer::Again);
        assert_eq!(last(&kit.view(), 1).map(|last| last.again), Some(None), "{step:?}: it has been asked again");
        kit.says(1, denied());
        kit.feed(Input::PlaneDown(plane(1)));
        assert_eq!(last(&kit.view(), 1).map(|last| last.tries), Some(2), "{step:?}");
        kit.up(1);
        assert_eq!(last(&kit.view(), 1).map(|last| last.refusal.reason), Some(Reason::AccessDenied), "{step:?}");
        kit.says(1, good(1));
        let view = kit.view();
        assert_eq!((last(&view, 1), view.blocked_by()), (None, BTreeSet::new()), "{step:?}");
    }
}

#[test]
fn a_refusal_is_over_with_its_step() {
    let mut kit = Kit::new(request());
    kit.releasing();
    kit.says(1, denied());
    kit.later(32_000);
    kit.feed(Input::Expired(Timer::HoldsGone));
    assert_eq!((kit.view().phase, last(&kit.view(), 1)), (Phase::Completing, None));
    assert_eq!(kit.machine.deadline(), None, "nothing is to be repeated");
}

#[test]
fn since_is_the_first_time_of_this_reason() {
    let mut kit = Kit::new(request());
    kit.completing();
    kit.now.wall = Timestamp(1_000);
    kit.says(0, denied());
    kit.now.wall = Timestamp(2_000);
    kit.says(0, denied());
    assert_eq!(last(&kit.view(), 0).map(|last| last.since), Some(Timestamp(1_000)));
    kit.says(0, unavailable());
    assert_eq!(last(&kit.view(), 0).map(|last| last.since), Some(Timestamp(2_000)));
}

/// How long until the order is repeated, `n` times in a row.
fn waits(kit: &mut Kit, n: usize) -> Vec<Millis> {
    let wait = |kit: &mut Kit| {
        let from = kit.now.at;
        kit.says(0, denied());
        kit.expire(Timer::Again);
        kit.now.at.since(from)
    };
    (0..n).map(|_| wait(kit)).collect()
}

#[test]
fn tries_grow_rarer_up_to_ten_minutes_and_start_anew_with_a_session() {
    for go in [Kit::completing, cleaning, failed] {
        let mut kit = Kit::new(request());
        go(&mut kit);
        let full = [15, 30, 60, 120, 240, 480, 600, 600, 600];
        for (wait, full) in waits(&mut kit, full.len()).into_iter().zip(full) {
            assert!((full * 500..=full * 1000).contains(&wait.0), "{wait:?} where {full} s is the longest");
        }
        kit.up(0);
        assert!(waits(&mut kit, 1)[0] <= Millis::secs(15));
    }
}

/// A lock, a missing permission: asking soon is in vain, and takes from what the account may call.
#[test]
fn what_needs_a_person_is_asked_for_from_minutes_up_to_an_hour_and_at_once_in_a_new_session() {
    for go in [cleaning, failed] {
        let mut kit = Kit::new(request());
        go(&mut kit);
        let left = CleanReport { left: vec!["snap-1: locked".into()], needs_person: true, ..CleanReport::default() };
        for full in [120, 240, 480, 960, 1920, 3600, 3600] {
            let from = kit.now.at;
            kit.says(0, Answer::Cleaned(Cleaned { report: left.clone() }));
            let failure = kit.view().record.clean_failure.expect("told");
            assert_eq!(failure, "plane az1: left over and needs a person: snap-1: locked");
            let (at, timer) = kit.machine.deadline().expect("it is asked again");
            kit.now.at = at;
            assert!(afresh(&kit.raw(Barrier::expired(timer))).iter().all(|(plane, is)| *is == (plane != "az1")));
            let wait = kit.now.at.since(from);
            assert!((full * 500..=full * 1000).contains(&wait.0), "{wait:?} where {full} s is the longest");
        }
        kit.says(0, Answer::Cleaned(Cleaned { report: left }));
        kit.feed(Input::PlaneDown(plane(0)));
        let effects = kit.raw(Input::PlaneUp(plane(0)));
        assert_eq!(afresh(&effects), [("az1".to_owned(), true)], "somebody may have mended it");
        let left = CleanReport { left: vec!["snap-1: locked".into()], needs_person: true, ..CleanReport::default() };
        kit.says(0, Answer::Cleaned(Cleaned { report: left }));
        let effects = kit.raw(Input::TryAgain);
        let of_az1: Vec<_> = afresh(&effects).into_iter().filter(|(plane, _)| plane == "az1").collect();
        assert_eq!(of_az1, [("az1".to_owned(), true)], "somebody says that it is mended");
    }
}

/// Who is told to clean, and whether it asks EC2 for what was refused lately.
fn afresh(effects: &[Effect]) -> Vec<(String, bool)> {
    let of = |effect: &Effect| match effect {
        Effect::Send { plane, order: Order::Clean(clean), .. } => Some((plane.to_string(), clean.afresh)),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

#[test]
fn each_plane_has_its_own_pause() {
    let mut kit = Kit::new(request());
    kit.completing();
    waits(&mut kit, 4);
    kit.says(0, denied());
    kit.says(2, unavailable());
    let order = |i: usize| format!("{} @5 Complete 2000", PLANES[i]);
    // az2 has been silent all the while, and is reminded.
    assert_eq!(kit.expire(Timer::Again), [order(1), order(2)], "az1 is not yet due");
    assert_eq!(kit.expire(Timer::Again), [order(0), order(1), order(2)]);
}

#[test]
fn a_failed_attempt_that_cannot_be_cleaned_is_told_until_it_can() {
    let mut kit = Kit::new(request());
    failed(&mut kit);
    let left = CleanReport { left: vec!["snap-1: locked".into()], ..CleanReport::default() };
    kit.says(0, Answer::Cleaned(Cleaned { report: left }));
    kit.says(1, denied());
    let record = kit.view().record;
    let failure = record.clean_failure.expect("told");
    assert_eq!(failure, "plane az1: left over: snap-1: locked; plane az2: AccessDenied: s3:PutObject");
    assert!(record.times.clean_failed.is_some());
    kit.says(0, clean());
    assert_eq!(kit.view().record.clean_failure.as_deref(), Some("plane az2: AccessDenied: s3:PutObject"));
    kit.says(1, clean());
    assert_eq!(kit.view().record.clean_failure, None, "az3 has not answered, and has not refused");
    kit.says(2, clean());
    let record = kit.view().record;
    assert_eq!((record.milestone, record.clean_failure, record.times.clean_failed), (Milestone::Failed, None, None));
}

#[test]
fn a_plane_given_up_blocks_nothing() {
    let mut kit = Kit::new(request());
    failed(&mut kit);
    kit.says(2, denied());
    kit.says(0, clean());
    kit.says(1, clean());
    kit.feed(Input::Abandon(BTreeSet::from([plane(2)])));
    let view = kit.view();
    assert_eq!((view.record.clean_failure.clone(), view.blocked_by()), (None, BTreeSet::new()));
    assert_eq!(view.waiting_for, "");
}

#[test]
fn a_plane_that_is_away_blocks_where_no_clock_runs() {
    let mut kit = Kit::new(request());
    kit.completing();
    kit.feed(Input::PlaneDown(plane(2)));
    assert_eq!(kit.view().blocked_by(), BTreeSet::from([Reason::PlaneNotConnected]));
    kit.says(0, done());
    kit.feed(Input::PlaneDown(plane(0)));
    let view = kit.view();
    assert_eq!(view.disconnected().collect::<Vec<_>>(), [&plane(2)], "az1 has done its part");
    assert_eq!(view.waiting_for, "answers of planes: az2; planes to come back: az3");
}

#[test]
fn a_deadline_is_kept_and_not_what_was_left_of_it() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    let first = kit.view();
    kit.later(31_000);
    assert_eq!(kit.view(), first, "nothing happened");
    let (clock, ends) = first.clock.expect("a clock runs");
    assert_eq!((clock, ends.since(kit.now.at)), (Clock::Connect, Millis::secs(29)));
}

#[test]
fn who_answers_after_a_refusal_is_not_asked_again() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    kit.feed(Input::Cancel);
    kit.says(1, unavailable());
    assert!(kit.machine.timers().any(|timer| timer == Timer::Again));
    kit.says(1, aborted());
    assert!(!kit.machine.timers().any(|timer| timer == Timer::Again), "nobody refuses any more");
}
