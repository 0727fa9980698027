//! `retryWithin`: which attempts are followed by another, and when.

use crate::fixtures::*;
use shared::{
    barrier::{Clock, Input, Milestone, Phase, Timer},
    ids::BackupUid,
    machine::Machine,
    reason::{Reason, Refusal},
    request::{CleanPolicy, Request},
    time::Millis,
    wire::Answer,
};

fn within(seconds: u64) -> Request {
    let mut request = request();
    request.retry_within = Some(Millis::secs(seconds));
    request
}

fn prepares(kit: &mut Kit) {
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
}

/// What failed before anything was touched is followed by another attempt exactly if the table says so.
#[test]
fn every_reason_that_may_pass_is_tried_again() {
    for reason in Reason::ALL {
        let mut kit = Kit::new(within(600));
        prepares(&mut kit);
        assert_eq!(kit.says(1, Answer::Refused(Refusal::new(*reason, "no"))), ["save Failed"]);
        let waits = kit.view().clock.is_some_and(|(clock, _)| clock == Clock::Retry);
        assert_eq!(waits, reason.is_passing(), "{reason}");
    }
    let passing = [
        Reason::PlaneNotConnected,
        Reason::StoreNotUp,
        Reason::StoreJustStarted,
        Reason::StoreHeldByOther,
        Reason::GcPassed,
        Reason::PrepareTimedOut,
    ];
    assert!(passing.iter().all(|reason| reason.is_passing()));
    let not = [Reason::SpecInvalid, Reason::AccessDenied, Reason::Cancelled, Reason::Deleted, Reason::Internal];
    assert!(not.iter().all(|reason| !reason.is_passing()));
}

#[test]
fn pauses_grow_from_16_seconds_to_5_minutes() {
    let mut kit = Kit::new(within(24 * 3600));
    prepares(&mut kit);
    for full in [32_u64, 64, 128, 256, 300, 300] {
        kit.says(1, Answer::Refused(Refusal::new(Reason::StoreNotUp, "store 3 is Disconnected")));
        let from = kit.now.at;
        kit.expire(Timer::Retry);
        let wait = kit.now.at.since(from);
        assert!((full * 500..=full * 1000).contains(&wait.0) && wait >= Millis::secs(16), "{wait:?} of {full} s");
        assert_eq!(kit.view().phase, Phase::Preparing);
    }
}

#[test]
fn the_last_attempt_begins_when_the_users_time_is_over() {
    let mut kit = Kit::new(within(600));
    prepares(&mut kit);
    kit.later(570_000);
    let refused = || Answer::Refused(Refusal::new(Reason::PdUnavailable, "no leader"));
    (0..5).for_each(|_| {
        kit.says(1, refused());
        if let Some((at, Timer::Retry)) = kit.machine.deadline() {
            kit.later(at.since(kit.now.at).0);
            kit.feed(Input::Expired(Timer::Retry));
        }
    });
    let elapsed = kit.now.wall.0 - kit.view().record.times.started.unwrap().0;
    assert!(elapsed <= 600_000, "{elapsed}");
    assert_eq!((kit.view().phase, kit.machine.deadline()), (Phase::Failed, None));
}

#[test]
fn a_missing_plane_that_comes_begins_the_next_attempt_at_once() {
    let mut kit = Kit::new(within(1800));
    kit.feed(Input::Start);
    kit.up(0);
    kit.up(1);
    assert_eq!(kit.expire(Timer::Connect), ["save Failed"]);
    kit.later(1_000);
    let mut expected = vec!["save Preparing".to_owned()];
    expected.extend(to_all("@0 Prepare 1"));
    assert_eq!(kit.up(2), expected);
    let view = kit.view();
    assert_eq!(
        (view.record.attempt, view.record.milestone, view.clock.map(|(clock, _)| clock)),
        (2, Milestone::Preparing, Some(Clock::Prepare))
    );

    // After a restart of the coordinator as well.
    let mut kit = Kit::new(within(1800));
    kit.feed(Input::Start);
    kit.expire(Timer::Connect);
    let mut kit = Kit::of(kit.view().record);
    kit.feed(Input::Start);
    assert!(kit.up(0).is_empty() && kit.up(1).is_empty());
    assert_eq!(kit.up(2), expected);
}

#[test]
fn a_plane_that_comes_back_hastens_no_other_retry() {
    let mut kit = Kit::new(within(1800));
    prepares(&mut kit);
    kit.says(1, Answer::Refused(Refusal::new(Reason::StoreJustStarted, "store 3")));
    assert!(kit.up(2).is_empty());
    assert_eq!(kit.view().phase, Phase::Failed);
    // Nor is one made that the user did not allow.
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    kit.expire(Timer::Connect);
    (0..3).for_each(|i| assert!(kit.up(i).is_empty()));
    assert_eq!(kit.view().phase, Phase::Failed);
}

#[test]
fn the_length_of_the_part_that_failed_is_kept() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    kit.expire(Timer::Hold);
    let barrier = kit.view().record.barrier;
    assert_eq!(barrier.hold, Some(Millis::secs(60)));
    assert!(barrier.settle.is_some() && barrier.reach.is_some());
    let mut kit = Kit::new(request());
    kit.suspending();
    kit.expire(Timer::Reach);
    assert_eq!((kit.view().record.barrier.reach, kit.view().record.barrier.hold), (Some(Millis::secs(120)), None));
}

/// The object that adopted the backup has it in every later attempt, too: by its uid the record is found and deleted.
#[test]
fn another_attempt_of_an_adopted_backup_is_still_the_objects() {
    let mut kit = Kit::new(within(600));
    prepares(&mut kit);
    kit.says(1, Answer::Refused(Refusal::new(Reason::StoreNotUp, "store 3 is Disconnected")));
    let object = BackupUid::new("restored");
    let mut kit = Kit::of(kit.view().record.adopted_by(object.clone(), CleanPolicy::Delete));
    prepares(&mut kit);
    kit.expire(Timer::Retry);
    let view = kit.view();
    assert_eq!((view.phase, view.record.attempt, view.record.key()), (Phase::Preparing, 2, &object));
}
