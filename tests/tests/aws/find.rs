//! The describes: pages, missing and not yet visible ids, throttles, and what a row means.

use super::bench::{ACCOUNT, Bench, DATA, INSTANCE, REGION, ROOT, all, call, tags, volumes};
use plane_actor::ports::{CloudError, Counted, Find, SnapshotState};
use shared::ids::{InstanceId, SnapshotId, VolumeId};
use std::{collections::BTreeSet, time::Duration};
use tests::{models::ec2::Home, servers::ec2::Fault};
use tokio::time::sleep;

#[tokio::test]
async fn every_page_is_read_and_only_what_matches_is_found() {
    let many: Vec<String> = (0..127).map(|number| format!("vol-1{number:016x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut state =
        Bench::state().with_instance(&Home::new(ACCOUNT, REGION), "i-0000000000000000b", "vol-00000001", &many);
    state.ec2.rules.volume_gap = Duration::ZERO;
    state.ec2.rules.pending_for = Duration::ZERO;
    let bench = Bench::with(state).await;
    // 1270 snapshots of others and 3 of ours: two pages, and most of what they hold does not match.
    let mut other = call("other");
    other.instance = InstanceId::from("i-0000000000000000b");
    for _ in 0..10 {
        bench.cloud.ec2.create_snapshots(&other).await.expect("accepted");
    }
    let ours = bench.cloud.ec2.create_snapshots(&call("1")).await.expect("accepted");
    let found = all(bench.cloud.ec2.as_ref(), &tags("1")).await.expect("found");
    let ids = |found: BTreeSet<SnapshotId>| found;
    assert_eq!(
        ids(found.iter().map(|one| one.snapshot.clone()).collect()),
        ids(ours.iter().map(|one| one.snapshot.clone()).collect())
    );
    let asked = bench.handle().calls_of("DescribeSnapshots");
    assert_eq!(asked.len(), 2);
    for call in &asked {
        assert_eq!(call.fields.get("Owner.1").map(String::as_str), Some("self"));
        assert_eq!(call.fields.get("MaxResults").map(String::as_str), Some("1000"));
        assert_eq!(call.fields.get("Filter.1.Value.1").map(String::as_str), Some(r"uid-1 \*"), "taken literally");
    }
    assert!(asked[1].fields.contains_key("NextToken"));

    let all = all(bench.cloud.ec2.as_ref(), &tags("other")).await.expect("found");
    assert_eq!(all.len(), 1270);
    let by_id: Vec<SnapshotId> = all.into_iter().map(|one| one.snapshot).collect();
    assert_eq!(bench.cloud.ec2.snapshots(&by_id).await.expect("found").len(), 1270);
}

#[tokio::test]
async fn nothing_is_never_asked_for() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    assert!(ec2.snapshots(&[]).await.expect("nothing").is_empty());
    assert!(ec2.volumes(&[]).await.expect("nothing").is_empty());
    assert!(ec2.instances(&[]).await.expect("nothing").is_empty());
    assert!(matches!(ec2.unfinished_snapshots(&[], None).await, Err(CloudError::Refused { .. })));
    assert!(matches!(ec2.find_snapshots(&Find::default(), None).await, Err(CloudError::Refused { .. })));
    assert!(bench.handle().calls().is_empty());
}

#[tokio::test]
async fn what_is_not_yet_visible_or_missing_is_left_out_for_one_call_more() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    bench.handle().rules(|rules| rules.volume_gap = Duration::ZERO);
    let old = ec2.create_snapshots(&call("1")).await.expect("accepted");
    bench.handle().rules(|rules| rules.visible_after = Duration::from_millis(1500));
    let new = ec2.create_snapshots(&call("2")).await.expect("accepted");
    let ids = |of: &[shared::evidence::AcceptedSnapshot]| -> Vec<SnapshotId> {
        of.iter().map(|one| one.snapshot.clone()).collect()
    };
    let both = [ids(&old), ids(&new), vec![SnapshotId::from("snap-00000000")]].concat();

    let before = bench.handle().count("DescribeSnapshots");
    let seen: BTreeSet<_> = ec2.snapshots(&both).await.expect("found").into_iter().map(|one| one.snapshot).collect();
    assert_eq!(seen, ids(&old).into_iter().collect());
    assert_eq!(bench.handle().count("DescribeSnapshots") - before, 2);
    assert!(ec2.snapshots(&ids(&new)).await.expect("found").is_empty());
    assert!(all(ec2.as_ref(), &tags("2")).await.expect("found").is_empty(), "finding nothing is not absence");
    ec2.delete_snapshot(&new[0].snapshot).await.expect("EC2 says it is not there");
    assert_eq!(bench.handle().snapshots().len(), 6, "and it is there all the same");

    sleep(Duration::from_millis(1550)).await;
    assert_eq!(ec2.snapshots(&ids(&new)).await.expect("found").len(), 3);
    assert_eq!(all(ec2.as_ref(), &tags("2")).await.expect("found").len(), 3);
}

#[tokio::test]
async fn a_throttled_describe_is_asked_again_within_bounds() {
    let bench = Bench::new().await;
    let throttle = Fault::refuse(503, "RequestLimitExceeded");
    bench.handle().plan("DescribeSnapshots", throttle.clone(), 2);
    assert!(all(bench.cloud.ec2.as_ref(), &tags("1")).await.expect("found").is_empty());
    let asked = bench.handle().calls_of("DescribeSnapshots");
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|call| call.invocation == asked[0].invocation), "one call of three attempts");
    bench.handle().plan("DescribeSnapshots", throttle, 3);
    let outcome = all(bench.cloud.ec2.as_ref(), &tags("1")).await;
    assert!(matches!(outcome, Err(CloudError::Throttled(_))), "{outcome:?}");
    assert_eq!(bench.handle().count("DescribeSnapshots"), 6);
}

#[tokio::test]
async fn a_snapshot_goes_from_pending_to_its_end_with_size_or_message() {
    let bench = Bench::new().await;
    let ec2 = &bench.cloud.ec2;
    bench.handle().rules(|rules| (rules.volume_gap, rules.pending_for) = (Duration::ZERO, Duration::from_secs(3600)));
    ec2.create_snapshots(&call("1")).await.expect("accepted");
    let pending = all(ec2.as_ref(), &tags("1")).await.expect("found");
    assert!(pending.iter().all(|one| one.state == SnapshotState::Pending && one.full_bytes.is_none()));
    bench.handle().complete_all();
    let done = all(ec2.as_ref(), &tags("1")).await.expect("found");
    assert!(done.iter().all(|one| one.state == SnapshotState::Completed && one.progress == 100), "{done:?}");
    assert!(done.iter().all(|one| one.full_bytes.is_some_and(|bytes| bytes > 0)), "{done:?}");

    bench.handle().fail_snapshot_of(DATA[0], "KMS key is disabled");
    ec2.create_snapshots(&call("2")).await.expect("accepted");
    bench.handle().complete_all();
    let failed = all(ec2.as_ref(), &tags("2")).await.expect("found");
    assert!(failed.iter().all(|one| one.state == SnapshotState::Error && one.message == "KMS key is disabled"));
    let mut found: Vec<_> = failed[0].tags.clone();
    found.sort();
    let mut asked = tags("2");
    asked.sort();
    assert_eq!(found, asked);
    let unfinished = ec2.unfinished_snapshots(&volumes(&DATA), None).await.expect("found").snapshots;
    assert_eq!(unfinished.len(), 3, "error takes up a slot, completed does not");
    let counted = ec2.count_snapshots(None).await.expect("counted");
    assert_eq!(counted, Counted { snapshots: 6, pending: 0, next: None }, "whatever became of them");
    ec2.create_snapshots(&call("3")).await.expect("accepted");
    let counted = ec2.count_snapshots(None).await.expect("counted");
    assert_eq!(counted, Counted { snapshots: 9, pending: 3, next: None });
}

#[tokio::test]
async fn volumes_and_instances_are_read_as_they_are() {
    let mut state = Bench::state();
    if let Some(volume) = state.ec2.volumes.get_mut(DATA[0]) {
        volume.tags.extend([("own".into(), "1".into()), ("aws:reserved".into(), "2".into())]);
    }
    let status = |state: &mut tests::servers::ec2::Ec2State, volume: &str, status: &str| {
        let at = state.ec2.volumes.get_mut(volume).and_then(|volume| volume.attachment.as_mut());
        at.expect("attached").status = status.into();
    };
    status(&mut state, DATA[1], "detaching");
    status(&mut state, DATA[2], "detached");
    let bench = Bench::with(state).await;
    let found = bench.cloud.ec2.volumes(&volumes(&DATA)).await.expect("found");
    assert_eq!(found[0].instance, Some(InstanceId::from(INSTANCE)));
    assert_eq!(found[0].zone, "eu-west-1a");
    assert_eq!(found[0].tags, [("own".to_owned(), "1".to_owned())]);
    assert_eq!((&found[1].instance, &found[2].instance), (&None, &None), "on its way is not there");

    let instance = bench.cloud.ec2.instances(&[InstanceId::from(INSTANCE)]).await.expect("found").remove(0);
    assert_eq!((instance.state.as_str(), instance.root), ("running", Some(VolumeId::from(ROOT))));
    assert_eq!(instance.data, volumes(&DATA[..2]), "one on its way would still be taken along");
    let some =
        bench.cloud.ec2.volumes(&volumes(&[DATA[0], "vol-00000000"])).await.expect("one missing id fails nothing");
    assert_eq!(some.into_iter().map(|one| one.volume).collect::<Vec<_>>(), volumes(&DATA[..1]));
    let some = [InstanceId::from(INSTANCE), InstanceId::from("i-00000000")];
    assert_eq!(bench.cloud.ec2.instances(&some).await.expect("found").len(), 1);
    assert_eq!(bench.handle().mutations(), 0);
}
