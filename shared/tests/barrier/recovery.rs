//! Starting from a record: the same path as a normal start.

use crate::fixtures::*;
use shared::{
    barrier::{Effect, Input, Milestone, Phase, Timer},
    epoch::Epoch,
    reason::Reason,
    request::CleanPolicy,
    wire::{Answer, Recovered, Released, Reserved},
};

/// Runs `go`, then restarts from the last record that was saved, with all planes connected again.
fn restarted(go: fn(&mut Kit) -> Vec<String>) -> (Kit, Vec<String>) {
    let mut kit = Kit::new(request());
    go(&mut kit);
    let mut kit = Kit::of(kit.view().record);
    let mut lines = kit.feed(Input::Start);
    (0..3).for_each(|i| lines.extend(kit.up(i)));
    (kit, lines)
}

#[test]
fn before_commit_ts_was_saved_a_restart_aborts() {
    for go in [Kit::claimed, Kit::suspending, Kit::covering] {
        let (kit, lines) = restarted(go);
        let mut expected = vec!["save Aborting".to_owned()];
        expected.extend(to_all("@5 Abort CoordinatorRestarted"));
        assert_eq!(lines, expected);
        assert_eq!(kit.view().record.failure.unwrap().reason, Reason::CoordinatorRestarted);
    }
}

#[test]
fn after_commit_ts_a_restart_asks_for_evidence_and_certifies_only_with_all_of_it() {
    let (mut kit, lines) = restarted(Kit::snapshotting);
    assert_eq!(lines, to_all("@5 Recover"));
    let mut expected = vec!["save Certified".to_owned()];
    expected.extend(to_all("@5 Release"));
    assert_eq!(kit.all(told), expected, "saved first: nobody waits under a hold any more");

    let (mut kit, _) = restarted(Kit::confirming);
    kit.says(0, told(0));
    kit.says(2, told(2));
    let lines = kit.says(1, Answer::Recovered(Recovered::Aborted));
    assert_eq!(lines[0], "save Aborting");
    assert_eq!(lines[1..], to_all("@5 Abort CoordinatorRestarted"));
}

#[test]
fn evidence_that_never_comes_aborts() {
    let (mut kit, _) = restarted(Kit::snapshotting);
    kit.says(0, told(0));
    let lines = kit.expire(Timer::Recover);
    assert_eq!(lines[0], "save Aborting");
    assert!(kit.view().record.failure.unwrap().message.contains("az2"));
}

#[test]
fn after_the_certificate_a_restart_goes_on() {
    let (mut kit, lines) = restarted(Kit::releasing);
    assert_eq!(lines, to_all("@5 Release"));
    let lines = kit.all(|_| Answer::Released(Released {}));
    assert_eq!(lines[2..], to_all("@5 Complete 2000"));
    (0..3).for_each(|i| drop(kit.says(i, done())));
    assert_eq!(kit.view().phase, Phase::Complete);
}

#[test]
fn a_coordinator_that_was_followed_by_another_hears_its_answers_and_does_nothing() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let before = kit.machine.clone();
    let attempt = kit.view().record.attempt_id();
    assert!(kit.says_under(0, attempt, Epoch(5), Answer::Reserved(Reserved {})).is_empty());
    assert_eq!(kit.machine, before);
}

#[test]
fn every_stage_can_be_restarted_and_then_deleted() {
    let gos: [fn(&mut Kit) -> Vec<String>; 6] =
        [Kit::claimed, Kit::covering, Kit::snapshotting, Kit::releasing, Kit::completing, Kit::complete];
    for go in gos {
        let (mut kit, _) = restarted(go);
        kit.raw(Input::Delete(CleanPolicy::Delete));
        for _ in 0..4 {
            for i in 0..3 {
                kit.says(i, aborted());
                kit.says(i, clean());
            }
        }
        assert_eq!(kit.view().record.milestone, Milestone::Cleaned);
        let again = Kit::of(kit.view().record).raw(Input::Start);
        assert_eq!(again, [Effect::Gone], "a crash between Cleaned and the finalizer is repaired");
    }
}
