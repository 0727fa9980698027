//! CreateSnapshots and DeleteSnapshot: one attempt on the wire, and every way of not succeeding told apart.

use super::bench::{Bench, DATA, ROOT, all, call, tags, volumes};
use plane_actor::ports::{CloudError, CreateSnapshot, SnapshotState};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
};
use std::time::{Duration, Instant};
use tests::{models::ec2::Rate, servers::ec2::Fault};

fn volumes_of(accepted: &[AcceptedSnapshot]) -> Vec<VolumeId> {
    accepted.iter().map(|snapshot| snapshot.volume.clone()).collect()
}

#[tokio::test]
async fn a_set_has_its_tags_one_start_time_and_no_foreign_volume() {
    let bench = Bench::new().await;
    bench.handle().rules(|rules| rules.clock_skew_ms = -7_200_000);
    let mut one = call("1");
    one.exclude = volumes(&DATA[2..]);
    let accepted = bench.cloud.ec2.create_snapshots(&one).await.expect("accepted");
    assert_eq!(volumes_of(&accepted), volumes(&DATA[..2]), "neither the root nor what is excluded");
    assert!(accepted.iter().all(|one| one.instance == call("1").instance));
    assert_eq!(accepted[0].start_time, accepted[1].start_time);
    let ahead = accepted[0].start_time.0 - jiff::Timestamp::now().as_millisecond();
    assert!((-7_300_000..-7_100_000).contains(&ahead), "EC2's clock is two hours behind: {ahead} ms");
    for snapshot in bench.handle().snapshots().values() {
        assert_eq!(
            snapshot.tags.clone().into_iter().collect::<std::collections::BTreeSet<_>>(),
            tags("1").into_iter().collect()
        );
        assert_eq!(snapshot.description, "backup b1 & co");
    }
    let sent = bench.handle().calls_of("CreateSnapshots").remove(0);
    assert_eq!(sent.attempt, "attempt=1; max=1");
    assert_eq!(sent.fields.get("InstanceSpecification.ExcludeBootVolume").map(String::as_str), Some("true"));
}

/// Each snapshot bears what its own volume bears, without `aws:` ones, and what was asked for.
#[tokio::test]
async fn what_volumes_bear_is_copied_where_the_call_says_so() {
    let bearing = |crowd: usize| {
        let mut state = Bench::state();
        for volume in &DATA[..2] {
            let own = [("CSIVolumeName".into(), format!("pvc-{volume}")), ("aws:stack".into(), "s".into())];
            let more = (0..crowd).map(|number| (format!("k{number}"), String::new()));
            state.ec2.volumes.get_mut(*volume).expect("a volume").tags.extend(own.into_iter().chain(more));
        }
        state
    };
    let bench = Bench::with(bearing(0)).await;
    let mut one = call("1");
    (one.exclude, one.copy_tags) = (volumes(&DATA[2..]), true);
    bench.cloud.ec2.may_create_snapshots(&one).await.expect("dry run");
    bench.cloud.ec2.create_snapshots(&one).await.expect("accepted");
    for snapshot in bench.handle().snapshots().values() {
        assert_eq!(snapshot.tags.get("CSIVolumeName"), Some(&format!("pvc-{}", snapshot.volume)));
        assert_eq!(snapshot.tags.len(), tags("1").len() + 1);
    }
    let sent = bench.handle().calls_of("CreateSnapshots");
    assert!(sent.iter().all(|call| call.fields["CopyTagsFromSource"] == "volume"), "the dry run as well");
    let crowded = Bench::with(bearing(48)).await;
    let outcome = crowded.cloud.ec2.may_create_snapshots(&one).await;
    assert_eq!(outcome.map_err(|error| error.code().map(str::to_owned)), Err(Some("TagLimitExceeded".to_owned())));
}

/// The fault that doubles a set with the SDK's defaults (`facts/aws.md` C), on a fresh connection and on a used one.
#[tokio::test]
async fn a_lost_reply_is_unknown_and_was_sent_once() {
    let bench = Bench::new().await;
    bench.handle().rules(|rules| rules.volume_gap = Duration::ZERO);
    for (attempt, calls) in [("1", 1), ("2", 2)] {
        bench.handle().plan("CreateSnapshots", Fault::LostReply, 1);
        let outcome = bench.cloud.ec2.create_snapshots(&call(attempt)).await;
        assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(bench.handle().count("CreateSnapshots"), calls);
        assert_eq!(bench.handle().snapshots().len(), 3 * calls as usize, "it happened all the same");
        // This also leaves a connection open, which the next round's call is sent on.
        let found = all(bench.cloud.ec2.as_ref(), &tags(attempt)).await.expect("found");
        assert_eq!(found.len(), 3);
    }
}

#[tokio::test]
async fn a_server_error_after_the_deed_is_unknown_and_was_sent_once() {
    let bench = Bench::new().await;
    bench.handle().rules(|rules| rules.volume_gap = Duration::ZERO);
    let faults = [Fault::DoneThenError, Fault::refuse(503, "Unavailable"), Fault::refuse(400, "InternalError")];
    for (calls, fault) in (1..).zip(faults) {
        bench.handle().plan("CreateSnapshots", fault.clone(), 1);
        let outcome = bench.cloud.ec2.create_snapshots(&call("1")).await;
        assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{fault:?}: {outcome:?}");
        assert_eq!(bench.handle().count("CreateSnapshots"), calls, "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends() {
    let bench = Bench::new().await;
    bench.handle().plan("CreateSnapshots", Fault::SlowReply(Duration::from_secs(300)), 1);
    let started = Instant::now();
    let outcome = bench.cloud.ec2.create_snapshots(&call("1")).await;
    assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
    assert!((15..40).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert_eq!(bench.handle().count("CreateSnapshots"), 1);
    assert_eq!(bench.handle().snapshots().len(), 3, "it happened all the same");
}

#[tokio::test]
async fn a_reply_cut_off_never_passes_for_nothing() {
    let bench = Bench::new().await;
    let mut one = call("1");
    one.exclude = volumes(&DATA[1..]);
    bench.handle().plan("CreateSnapshots", Fault::CutReply, 1);
    let outcome = bench.cloud.ec2.create_snapshots(&one).await;
    assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
}

#[tokio::test]
async fn refusals_are_told_apart_and_never_repeated() {
    let mut state = Bench::state();
    state.ec2.rules.buckets.insert("CreateSnapshots".into(), Rate { burst: 5, refill: 0 });
    let bench = Bench::with(state).await;
    let ec2 = &bench.cloud.ec2;
    ec2.create_snapshots(&call("1")).await.expect("accepted");
    let outcome = ec2.create_snapshots(&call("2")).await;
    assert!(matches!(outcome, Err(CloudError::PerVolumeRate(_))), "{outcome:?}");
    bench.handle().rules(|rules| (rules.volume_gap, rules.concurrent_per_volume) = (Duration::ZERO, 1));
    let outcome = ec2.create_snapshots(&call("3")).await;
    assert!(matches!(outcome, Err(CloudError::Quota(_))), "{outcome:?}");
    bench.handle().deny("CreateSnapshots", true);
    let outcome = ec2.create_snapshots(&call("4")).await;
    assert!(
        matches!(&outcome, Err(CloudError::Denied(text)) if text.contains("ec2:CreateSnapshots")),
        "the action is named: {outcome:?}"
    );
    bench.handle().deny("CreateSnapshots", false);
    let mut elsewhere = call("5");
    elsewhere.instance = InstanceId::from("i-0000000000000000b");
    let outcome = ec2.create_snapshots(&elsewhere).await;
    assert!(matches!(outcome, Err(CloudError::NotFound(_))), "{outcome:?}");
    let outcome = ec2.create_snapshots(&call("6")).await;
    assert!(matches!(outcome, Err(CloudError::Throttled(_))), "{outcome:?}");
    assert_eq!(bench.handle().count("CreateSnapshots"), 6, "one call on the wire for each asked for");
    assert_eq!(bench.handle().mutations(), 3);
}

#[tokio::test]
async fn what_a_call_cannot_exclude_or_tag_is_refused() {
    let bench = Bench::new().await;
    let refused = async |change: &dyn Fn(&mut plane_actor::ports::CreateSnapshots), code: &str| {
        let mut one = call("1");
        change(&mut one);
        let outcome = bench.cloud.ec2.create_snapshots(&one).await;
        assert!(matches!(&outcome, Err(CloudError::Refused { code: told, .. }) if told == code), "{outcome:?}");
    };
    refused(&|one| one.exclude = volumes(&[ROOT]), "InvalidParameterValue").await;
    refused(&|one| one.exclude = vec![VolumeId::from(DATA[0]); 41], "InvalidParameterValue").await;
    refused(&|one| one.tags = (0..51).map(|n| (format!("k{n}"), String::new())).collect(), "TagLimitExceeded").await;
    refused(&|one| one.tags.push(("aws:mine".into(), String::new())), "InvalidParameterValue").await;
    assert_eq!(bench.handle().mutations(), 0);
}

#[tokio::test]
async fn deleting_is_sent_once_and_what_is_gone_is_deleted() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    let accepted = ec2.create_snapshots(&call("1")).await.expect("accepted");
    bench.handle().complete_all();
    bench.handle().plan("DeleteSnapshot", Fault::LostReply, 1);
    let outcome = ec2.delete_snapshot(&accepted[0].snapshot).await;
    assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
    assert_eq!(bench.handle().count("DeleteSnapshot"), 1);
    ec2.delete_snapshot(&accepted[0].snapshot).await.expect("gone is deleted");
    ec2.delete_snapshot(&accepted[1].snapshot).await.expect("deleted");
    assert_eq!(bench.handle().snapshots().len(), 1);
    bench.handle().plan("DeleteSnapshot", Fault::refuse(400, "InvalidSnapshot.InUse"), 1);
    let outcome = ec2.delete_snapshot(&accepted[2].snapshot).await;
    assert!(
        matches!(&outcome, Err(CloudError::Refused { code, .. }) if code == "InvalidSnapshot.InUse"),
        "{outcome:?}"
    );
    let outcome = ec2.delete_snapshot(&SnapshotId::from("snap-1")).await;
    assert!(matches!(outcome, Err(CloudError::Refused { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_pending_snapshot_is_deleted_once_it_is_done() {
    let bench = Bench::new().await;
    bench.handle().rules(|rules| rules.pending_for = Duration::from_secs(3600));
    let accepted = bench.cloud.ec2.create_snapshots(&call("1")).await.expect("accepted");
    bench.cloud.ec2.delete_snapshot(&accepted[0].snapshot).await.expect("accepted");
    let unfinished = bench.cloud.ec2.unfinished_snapshots(&volumes(&DATA), None).await.expect("found").snapshots;
    assert_eq!(unfinished.len(), 3, "it still takes up a slot");
    assert!(unfinished.iter().all(|one| one.state == SnapshotState::Pending));
    bench.handle().complete_all();
    assert_eq!(all(bench.cloud.ec2.as_ref(), &tags("1")).await.expect("found").len(), 2);
}

/// Only EC2's own yes is a yes; a dry run that is refused says what the call would have been told.
#[tokio::test]
async fn a_dry_run_makes_nothing_and_is_refused_as_the_call_would_be() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    ec2.may_create_snapshots(&call("1")).await.expect("allowed");
    assert_eq!(bench.handle().mutations(), 0);
    let sent = bench.handle().calls_of("CreateSnapshots dry run").remove(0);
    assert_eq!(sent.fields.get("DryRun").map(String::as_str), Some("true"));
    let mut crowded = call("1");
    crowded.tags = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
    let outcome = ec2.may_create_snapshots(&crowded).await;
    assert!(matches!(&outcome, Err(CloudError::Refused { code, .. }) if code == "TagLimitExceeded"), "{outcome:?}");
    let mut elsewhere = call("1");
    elsewhere.instance = InstanceId::from("i-0000000000000000b");
    assert!(matches!(ec2.may_create_snapshots(&elsewhere).await, Err(CloudError::NotFound(_))));
    bench.handle().deny("CreateSnapshots dry run", true);
    assert!(matches!(ec2.may_create_snapshots(&call("1")).await, Err(CloudError::Denied(_))));
    assert_eq!(bench.handle().mutations(), 0);
}

fn one(attempt: &str, volume: &str) -> CreateSnapshot {
    let call = call(attempt);
    CreateSnapshot { instance: call.instance, volume: volume.into(), tags: call.tags, description: call.description }
}

/// CreateSnapshot: one volume, sent once, with its tags, from a bucket of its own.
#[tokio::test]
async fn one_volume_alone_is_told_apart_like_a_set() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    bench.handle().rules(|rules| {
        rules.buckets.insert("CreateSnapshots".into(), Rate { burst: 0, refill: 0 });
        rules.volume_gap = Duration::ZERO;
    });
    ec2.may_create_snapshot(&one("1", DATA[0])).await.expect("allowed");
    assert_eq!(bench.handle().mutations(), 0);
    let made = ec2.create_snapshot(&one("1", DATA[0])).await.expect("accepted");
    assert_eq!((made.volume, made.instance), (VolumeId::from(DATA[0]), call("1").instance));
    let kept = bench.handle().snapshots().remove(made.snapshot.as_str()).expect("made");
    assert_eq!(kept.tags.into_iter().collect::<Vec<_>>(), {
        let mut tags = tags("1");
        tags.sort();
        tags
    });
    assert_eq!(kept.description, "backup b1 & co");
    let sent = bench.handle().calls_of("CreateSnapshot").remove(0);
    assert_eq!((sent.attempt.as_str(), sent.fields.contains_key("DryRun")), ("attempt=1; max=1", false));
    bench.handle().plan("CreateSnapshot", Fault::LostReply, 1);
    let outcome = ec2.create_snapshot(&one("2", DATA[1])).await;
    assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
    assert_eq!((bench.handle().count("CreateSnapshot"), bench.handle().snapshots().len()), (2, 2), "sent once");
    assert_eq!(all(ec2.as_ref(), &tags("2")).await.expect("found").len(), 1);
    let nowhere = ec2.create_snapshot(&one("3", "vol-0000000000000dead")).await;
    assert!(matches!(nowhere, Err(CloudError::NotFound(_))), "{nowhere:?}");
    bench.handle().rules(|rules| rules.volume_gap = Duration::from_secs(15));
    let soon = ec2.create_snapshot(&one("4", DATA[0])).await;
    assert!(matches!(soon, Err(CloudError::PerVolumeRate(_))), "{soon:?}");
    bench.handle().deny("CreateSnapshot", true);
    assert!(matches!(ec2.create_snapshot(&one("5", DATA[0])).await, Err(CloudError::Denied(_))));
    bench.handle().deny("CreateSnapshot dry run", true);
    assert!(matches!(ec2.may_create_snapshot(&one("5", DATA[0])).await, Err(CloudError::Denied(_))));
}
