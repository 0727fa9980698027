//! The rules, asked without a wire.

mod facts;
mod volumes;

use super::{Call, Ec2, Guard, Home, Rate, Refusal};
use std::time::Duration;

const INSTANCE: &str = "i-0000000000000000a";
const DATA: [&str; 2] = ["vol-0000000000000000a", "vol-0000000000000000b"];
const MINUTE: Duration = Duration::from_secs(60);

fn home() -> Home {
    Home::new("111122223333", "eu-west-1")
}

fn ec2() -> Ec2 {
    let mut ec2 = Ec2::default();
    ec2.add_instance(&home(), INSTANCE, "vol-0000000000000000f", &DATA);
    ec2
}

/// One CreateSnapshots of the data volumes.
fn create(ec2: &mut Ec2, now: Duration, fails: Option<&str>) -> Result<Vec<String>, &'static str> {
    let call = Call { instance: INSTANCE, without_root: true, excluded: &[], tags: &[], copy_tags: false };
    let code = |refusal: Refusal| refusal.code;
    let wanted = ec2.chosen(now, &home(), &call).map_err(code)?;
    ec2.check_room(now, &home(), &wanted).map_err(code)?;
    Ok(ec2.make(now, 0, wanted, fails, ""))
}

#[test]
fn a_volume_is_snapshotted_neither_too_often_nor_too_many_times_at_once() {
    let mut ec2 = ec2();
    (ec2.rules.pending_for, ec2.rules.concurrent_per_volume) = (MINUTE * 60, 2);
    let at = |seconds| Duration::from_secs(seconds);
    let first = create(&mut ec2, at(0), None).unwrap();
    let soon = create(&mut ec2, Duration::from_millis(14_999), None);
    assert_eq!(soon, Err("SnapshotCreationPerVolumeRateExceeded"));
    create(&mut ec2, at(15), None).unwrap();
    assert_eq!(create(&mut ec2, at(30), None), Err("ConcurrentSnapshotLimitExceeded"));

    // Deleting what is pending is accepted and frees nothing yet.
    ec2.delete(&first[0]).unwrap();
    assert!(ec2.visible(at(30), &home(), &first[0]).is_ok());
    assert_eq!(create(&mut ec2, at(30), None), Err("ConcurrentSnapshotLimitExceeded"));
    let done = MINUTE * 60;
    assert_eq!(ec2.visible(done, &home(), &first[0]).map_err(|refusal| refusal.code), Err("InvalidSnapshot.NotFound"));
    ec2.forget_deleted(done);
    assert_eq!(ec2.seen(done, &home()).count(), 3);

    ec2.rules.pending_limit = Some(2);
    assert_eq!(create(&mut ec2, done, None), Err("PendingSnapshotLimitExceeded"));
    (ec2.rules.pending_limit, ec2.rules.snapshot_limit) = (None, 4);
    assert_eq!(create(&mut ec2, done, None), Err("SnapshotLimitExceeded"));
}

#[test]
fn what_keeps_a_snapshot_keeps_it_until_it_is_gone() {
    let mut ec2 = ec2();
    let id = create(&mut ec2, Duration::ZERO, None).unwrap().remove(0);
    let table = [
        (Guard::Ami("ami-0abc".into()), "InvalidSnapshot.InUse"),
        (Guard::Lock, "OperationNotPermitted"),
        (Guard::AwsBackup, "InvalidParameterValue"),
    ];
    for (guard, code) in table {
        ec2.snapshots.get_mut(&id).unwrap().guard = Some(guard);
        assert_eq!(ec2.delete(&id).map_err(|refusal| refusal.code), Err(code));
        assert!(ec2.visible(MINUTE, &home(), &id).is_ok());
    }
    ec2.snapshots.get_mut(&id).unwrap().guard = None;
    assert_eq!(ec2.delete(&id), Ok(()));
    assert!(ec2.visible(MINUTE, &home(), &id).is_err());
}

#[test]
fn one_failing_member_takes_its_set_along_and_keeps_its_slot() {
    let mut ec2 = ec2();
    ec2.rules.concurrent_per_volume = 1;
    create(&mut ec2, Duration::ZERO, Some("the disk is on fire")).unwrap();
    assert!(ec2.seen(MINUTE, &home()).all(|(_, one)| one.state(MINUTE) == "error"));
    assert_eq!(create(&mut ec2, MINUTE, None), Err("ConcurrentSnapshotLimitExceeded"), "error counts as unfinished");
}

#[test]
fn what_was_made_is_not_seen_at_once() {
    let mut ec2 = ec2();
    ec2.rules.visible_after = MINUTE;
    let id = create(&mut ec2, Duration::ZERO, None).unwrap().remove(0);
    let early = MINUTE - Duration::from_millis(1);
    assert!(ec2.visible(early, &home(), &id).is_err() && ec2.seen(early, &home()).count() == 0);
    assert!(ec2.visible(MINUTE, &home(), &id).is_ok());
    assert!(ec2.visible(MINUTE, &Home::new("444455556666", "eu-west-1"), &id).is_err(), "another account's");
}

#[test]
fn buckets_are_per_account_region_and_action() {
    let mut ec2 = ec2();
    ec2.rules.buckets.insert("DescribeVolumes plain".to_owned(), Rate { burst: 1, refill: 4 });
    let mut draw = |millis, account: &str| {
        let home = Home::new(account, "eu-west-1");
        ec2.draw(Duration::from_millis(millis), &home, "DescribeVolumes plain").map_err(|refusal| refusal.code)
    };
    assert_eq!(draw(0, "111122223333"), Ok(()));
    assert_eq!(draw(249, "111122223333"), Err("RequestLimitExceeded"));
    assert_eq!(draw(249, "444455556666"), Ok(()), "another account has its own");
    assert_eq!(draw(250, "111122223333"), Ok(()));
}
