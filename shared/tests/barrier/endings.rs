//! Abort, clean, deletion, cancellation, new attempts.

use crate::fixtures::*;
use shared::{
    barrier::{Effect, Input, Milestone, Phase, Summary, Timer, Verdict},
    epoch::Epoch,
    reason::{Reason, Refusal},
    request::CleanPolicy,
    time::Millis,
    wire::{Answer, CleanReport, Cleaned, Order, Released},
};
use std::collections::BTreeSet;

fn joined(first: &[&str], rest: Vec<String>) -> Vec<String> {
    first.iter().map(|s| (*s).to_owned()).chain(rest).collect()
}

/// Aborted by a person in the middle of snapshotting.
fn cancelled() -> Kit {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    assert_eq!(kit.feed(Input::Cancel), joined(&["save Aborting"], to_all("@5 Abort Cancelled")));
    kit
}

#[test]
fn an_abort_cleans_the_attempt_and_ends_the_claim_before_it() {
    let mut kit = cancelled();
    assert_eq!(kit.all(|_| aborted()), joined(&["save Failed", "end claim"], to_all("@5 Clean Attempt 0")));
    // With those that come within a second: packing the record of many planes takes long.
    assert_eq!(kit.says(0, clean()), Vec::<String>::new());
    assert_eq!(kit.expire(Timer::Save), ["save Failed"]);
    assert_eq!(kit.says(0, clean()), Vec::<String>::new());
    assert_eq!(kit.says(1, clean()), Vec::<String>::new());
    assert_eq!(kit.says(2, clean()), ["save Failed"], "the last one with all before it");
}

#[test]
fn a_process_that_ends_early_aborts_what_is_held_and_nothing_else() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    assert!(kit.machine.is_under_way());
    assert_eq!(kit.feed(Input::Stop), joined(&["save Aborting"], to_all("@5 Abort CoordinatorRestarted")));
    assert!(kit.feed(Input::Stop).is_empty() && kit.machine.is_under_way());
    kit.all(|_| aborted());
    assert!(!kit.machine.is_under_way());

    let mut kit = Kit::new(request());
    kit.releasing();
    assert!(kit.feed(Input::Stop).is_empty() && kit.machine.is_under_way(), "it is certified and lets go anyway");
    kit.all(|_| Answer::Released(Released {}));
    assert!(kit.feed(Input::Stop).is_empty() && !kit.machine.is_under_way());

    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    assert!(!kit.machine.is_under_way() && kit.feed(Input::Stop).is_empty(), "nothing was touched");
}

#[test]
fn a_lost_plane_does_not_keep_the_claim_and_cleans_when_it_returns() {
    let mut kit = cancelled();
    kit.feed(Input::PlaneDown(plane(2)));
    kit.says(0, aborted());
    kit.says(1, aborted());
    let at = kit.now.at;
    let lines = kit.expire(Timer::HoldsGone);
    assert_eq!(lines, ["save Failed", "end claim", "az1 @5 Clean Attempt 0", "az2 @5 Clean Attempt 0"]);
    assert_eq!(kit.now.at.since(at), Millis::secs(32), "15 s own lease, 15 s PD ttl, 2 s margin");
    assert_eq!(kit.up(2), ["az3 @5 Clean Attempt 0"]);
}

#[test]
fn a_late_confirmation_never_undoes_an_abort() {
    let mut kit = cancelled();
    for i in 0..3 {
        assert!(kit.says(i, confirmed(i)).is_empty());
    }
    assert_eq!(kit.view().record.milestone, Milestone::Aborting);
}

#[test]
fn deletion_of_a_complete_backup_goes_by_the_policy() {
    let mut kit = Kit::new(request());
    kit.complete();
    assert_eq!(kit.feed(Input::Delete(CleanPolicy::Delete)), joined(&["save Cleaning"], to_all("@5 Clean Backup 1")));
    kit.says(0, clean());
    kit.says(1, clean());
    assert_eq!(kit.says(2, clean()), ["save Cleaning", "save Cleaned", "gone"]);

    for policy in [CleanPolicy::Retain, CleanPolicy::OnFailure] {
        let mut request = request();
        request.clean_policy = policy;
        let mut kit = Kit::new(request);
        kit.complete();
        assert_eq!(
            kit.feed(Input::Delete(CleanPolicy::Delete)),
            ["save Cleaned", "gone"],
            "{policy:?} keeps a good backup"
        );
    }
}

#[test]
fn at_deletion_the_safer_policy_of_then_and_now_wins() {
    let all = [CleanPolicy::Retain, CleanPolicy::OnFailure, CleanPolicy::Delete];
    for (then, now) in all.into_iter().flat_map(|then| all.map(|now| (then, now))) {
        let mut request = request();
        request.clean_policy = then;
        let mut kit = Kit::new(request);
        kit.complete();
        let said = kit.feed(Input::Delete(now));
        let deletes = (then, now) == (CleanPolicy::Delete, CleanPolicy::Delete);
        assert_eq!(said[0] == "save Cleaning", deletes, "{then:?}, then {now:?}: {said:?}");
    }
}

#[test]
fn an_object_that_vanished_ends_only_what_keeps_nothing_yet() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    assert_eq!(kit.feed(Input::ObjectLost), ["save Failed"]);
    assert_eq!(kit.view().record.failure.unwrap().reason, Reason::ObjectLost);

    let mut kit = Kit::new(request());
    kit.confirming();
    assert!(kit.feed(Input::ObjectLost).is_empty(), "commitTs is fixed: it goes on");

    let mut kit = Kit::new(request());
    kit.complete();
    let before = kit.view();
    assert!(kit.feed(Input::ObjectLost).is_empty());
    assert_eq!(kit.view(), before);
}

#[test]
fn an_adopted_record_is_cleaned_under_the_uid_that_made_it() {
    let mut kit = Kit::new(request());
    kit.complete();
    let first = kit.view().record;
    let second = first.adopted_by("new".into(), CleanPolicy::Delete);
    let third = second.adopted_by("newer".into(), CleanPolicy::Delete);
    assert_eq!((second.key().as_str(), third.key().as_str()), ("new", "newer"));
    assert_eq!(third.adopted.as_ref().unwrap().from.as_str(), "new");
    assert_eq!(third.attempt_id(), first.attempt_id(), "planes, tags and locks know the first uid");
    assert_eq!((&third.certificate, &third.times), (&first.certificate, &first.times));
}

#[test]
fn a_plane_that_does_not_know_the_old_manager_has_cleaned_nothing() {
    let mut record = shared::barrier::Record::to_clean(request(), 1, shared::time::Timestamp(7));
    record.old_manager = true;
    let mut kit = Kit::of(record);
    kit.feed(Input::Start);
    for i in 0..3 {
        kit.feed(Input::PlaneUp(plane(i)));
    }
    assert!(kit.says(0, clean()).is_empty());
    assert!(kit.view().record.clean_failure.unwrap().contains("upgrade"));
    let report = CleanReport { old_backup: true, ..CleanReport::default() };
    for i in 1..3 {
        kit.says(i, Answer::Cleaned(Cleaned { report: report.clone() }));
    }
    assert_eq!(kit.view().record.milestone, Milestone::Cleaning);
    assert_eq!(kit.expire(Timer::Save), ["save Cleaning"]);
    kit.expire(Timer::Again);
    assert_eq!(kit.says(0, Answer::Cleaned(Cleaned { report })), ["save Cleaning", "save Cleaned", "gone"]);
}

#[test]
fn deletion_in_the_middle_lets_go_first_and_keeps_nothing() {
    let mut request = request();
    request.clean_policy = CleanPolicy::Retain;
    let mut kit = Kit::new(request);
    kit.confirming();
    assert_eq!(kit.feed(Input::Delete(CleanPolicy::Delete)), joined(&["save Aborting"], to_all("@5 Abort Deleted")));
    kit.all(|_| aborted());
    kit.says(0, clean());
    kit.says(1, clean());
    assert_eq!(kit.says(2, clean()), ["save Failed", "save Cleaned", "gone"]);
}

#[test]
fn deletion_while_preparing_touches_nobody() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    assert_eq!(kit.feed(Input::Delete(CleanPolicy::Delete)), ["save Failed", "save Cleaned", "gone"]);
}

#[test]
fn leftovers_are_told_and_tried_again() {
    let mut kit = Kit::new(request());
    kit.complete();
    kit.feed(Input::Delete(CleanPolicy::Delete));
    let left = CleanReport { left: vec!["snap-1: locked".into()], ..CleanReport::default() };
    assert!(kit.says(1, Answer::Cleaned(Cleaned { report: left })).is_empty());
    assert!(kit.view().record.clean_failure.unwrap().contains("snap-1: locked"));
    kit.says(0, clean());
    assert_eq!(kit.expire(Timer::Save), ["save Cleaning"]);
    assert_eq!(kit.expire(Timer::Again), ["az2 @5 Clean Backup 1", "az3 @5 Clean Backup 1"]);
}

#[test]
fn a_plane_given_up_knowingly_does_not_block_deletion() {
    let mut kit = Kit::new(request());
    kit.complete();
    kit.feed(Input::Delete(CleanPolicy::Delete));
    kit.says(0, clean());
    kit.says(1, clean());
    let lines = kit.feed(Input::Abandon(BTreeSet::from([plane(2)])));
    assert_eq!(lines, ["save Cleaning", "save Cleaned", "gone"]);
}

#[test]
fn an_error_snapshot_after_the_certificate_fails_the_backup() {
    let mut kit = Kit::new(request());
    kit.completing();
    let refusal = Refusal::new(Reason::SnapshotFailed, "snap-1 ended in error");
    assert_eq!(kit.says(1, Answer::Refused(refusal)), joined(&["save Aborting"], to_all("@5 Abort SnapshotFailed")));
    assert_eq!(kit.view().record.certificate, None);
}

/// The record is a copy from before the attempt's bad end. What S3 still certifies is not deleted, by whoever cleans.
#[test]
fn a_record_from_before_the_bad_end_ends_too_and_takes_nothing_back() {
    let mut kit = Kit::new(request());
    kit.completing();
    assert_eq!(kit.says(1, aborted()), joined(&["save Aborting"], to_all("@5 Abort RecordOutdated")));
    kit.all(|_| aborted());
    assert_eq!(kit.view().record.failure.as_ref().map(|failure| failure.reason), Some(Reason::RecordOutdated));
    let takes_back = |kit: &mut Kit, i: usize| match &kit.raw(Input::PlaneUp(plane(i)))[..] {
        [Effect::Send { order: Order::Clean(clean), .. }] => Some(clean.taken_back),
        _ => None,
    };
    assert_eq!(takes_back(&mut kit, 1), Some(false));
    kit.says(0, Answer::Refused(Refusal::new(Reason::BackupProven, "S3 certifies this very attempt")));
    assert_eq!(kit.view().record.failure.as_ref().map(|failure| failure.reason), Some(Reason::BackupProven));
    assert_eq!((takes_back(&mut kit, 0), takes_back(&mut kit, 1)), (None, Some(false)));
}

#[test]
fn after_the_certificate_a_lost_plane_destroys_nothing() {
    let mut kit = Kit::new(request());
    kit.completing();
    kit.feed(Input::PlaneDown(plane(1)));
    let refusal = Refusal::new(Reason::StorageUnavailable, "S3 503");
    assert!(kit.says(0, Answer::Refused(refusal)).is_empty());
    assert_eq!(kit.view().phase, Phase::Completing);
    assert_eq!(kit.expire(Timer::Again), ["az1 @5 Complete 2000", "az3 @5 Complete 2000"]);
    assert_eq!(kit.up(1), ["az2 @5 Complete 2000"]);
}

#[test]
fn a_new_attempt_only_when_allowed_and_only_for_what_may_pass() {
    let run = |within: Option<Millis>, refusal: Refusal| {
        let mut request = request();
        request.retry_within = within;
        let mut kit = Kit::new(request);
        kit.snapshotting();
        kit.says(1, Answer::Refused(refusal));
        kit.all(|_| aborted());
        (0..3).for_each(|i| drop(kit.says(i, clean())));
        kit
    };
    let passing = Refusal::new(Reason::Ec2Unavailable, "503");
    let mut kit = run(Some(Millis::secs(600)), passing.clone());
    assert_eq!(kit.expire(Timer::Retry), joined(&["save Preparing"], to_all("@0 Prepare 1")));
    assert_eq!((kit.view().record.attempt, kit.view().record.epoch), (2, Epoch::NONE));

    for (within, refusal) in [
        (None, passing.clone()),
        (Some(Millis::secs(10)), passing),
        (Some(Millis::secs(600)), Refusal::new(Reason::AccessDenied, "CreateSnapshots")),
    ] {
        use shared::machine::Machine;
        assert_eq!(run(within, refusal).machine.deadline(), None);
    }
}

#[test]
fn a_claim_granted_too_late_is_given_back() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(prepared(i, 1)));
    assert_eq!(kit.feed(Input::Cancel), ["save Failed", "end claim"]);
    assert_eq!(kit.feed(Input::Claimed(Epoch(5))), ["end claim"]);
}

#[test]
fn a_backup_is_over_when_nothing_is_owed_and_nothing_will_come() {
    let mut kit = Kit::new(request());
    assert!(!kit.machine.is_over());
    kit.complete();
    assert!(kit.machine.is_over());
    kit.feed(Input::Delete(shared::request::CleanPolicy::Delete));
    assert!(!kit.machine.is_over());

    let mut kit = cancelled();
    kit.all(|_| aborted());
    kit.says(0, clean());
    kit.says(1, clean());
    assert!(!kit.machine.is_over(), "one plane has not cleaned");
    kit.says(2, clean());
    assert!(kit.machine.is_over());

    let mut request = request();
    request.retry_within = Some(Millis::secs(3600));
    let mut kit = Kit::new(request);
    kit.confirming();
    kit.says(0, Answer::Refused(Refusal::new(Reason::StoreHoldLost, "lost")));
    kit.all(|_| aborted());
    (0..3).for_each(|i| drop(kit.says(i, clean())));
    assert_eq!(kit.view().phase, Phase::Failed);
    assert!(!kit.machine.is_over(), "a new attempt is to come");
}

#[test]
fn a_summary_is_some_hundred_bytes_whatever_the_record_is() {
    let mut kit = Kit::new(request());
    kit.complete();
    let summary = Summary::of(&kit.view().record);
    assert_eq!((summary.milestone, summary.verdict), (Milestone::Complete, Some(Verdict::Consistent)));
    assert_eq!(summary.commit_ts, Some(safe_ts(1)));
    let text = serde_json::to_string(&summary).unwrap();
    assert!(text.len() + size_of::<Summary>() < 1024, "{} bytes: {text}", text.len());
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
}
