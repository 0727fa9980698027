//! A backup that is kept is looked at as a whole: what is asked, and what stays of the answer.

use crate::fixtures::*;
use shared::{
    barrier::{Input, Milestone, Record, Summary},
    ids::PlaneId,
    request::{CleanPolicy, SizeLevel},
    time::Timestamp,
    verify::{Level, Verification},
    wire::Verify,
};

fn found(level: Level) -> Verification {
    Verification { level, at: Timestamp(5), message: "plane az1, tags: gone".to_owned() }
}

fn complete() -> Kit {
    let mut kit = Kit::new(request());
    kit.complete();
    assert_eq!(kit.machine.record().milestone, Milestone::Complete);
    kit
}

#[test]
fn what_was_found_is_saved_and_takes_nothing_back() {
    for level in [Level::Sound, Level::Partly, Level::Broken] {
        let mut kit = complete();
        assert_eq!(kit.feed(Input::Verified(found(level))), ["save Complete"], "{level:?}");
        let record = kit.machine.record();
        assert_eq!((record.milestone, record.verified.clone()), (Milestone::Complete, Some(found(level))));
        assert!(record.certificate.is_some() && kit.machine.is_over());
        let summary = Summary::of(record);
        assert!(summary.settled, "a restart need not read the record");
        assert_eq!(
            summary.verified,
            Some(Verification { message: String::new(), ..found(level) }),
            "no room for words"
        );
    }
}

#[test]
fn where_nobody_looked_what_was_found_before_stays() {
    let mut kit = complete();
    kit.feed(Input::Verified(found(Level::Broken)));
    assert!(kit.feed(Input::Verified(found(Level::Unchecked))).is_empty());
    assert_eq!(kit.machine.record().verified, Some(found(Level::Broken)));
}

#[test]
fn only_what_is_complete_and_kept_can_be_verified() {
    let mut running = Kit::new(request());
    running.completing();
    assert!(running.feed(Input::Verified(found(Level::Sound))).is_empty());
    assert!(!running.machine.record().can_be_verified());
    let mut kit = complete();
    assert!(kit.machine.record().can_be_verified());
    kit.feed(Input::Delete(CleanPolicy::Delete));
    assert!(kit.feed(Input::Verified(found(Level::Sound))).is_empty());
    assert!(!kit.machine.record().can_be_verified());
}

fn asked(record: &Record, plane: &PlaneId) -> Option<Verify> {
    record.verify(plane, 9, &record.certificate_of_all().unwrap())
}

#[test]
fn a_plane_is_asked_for_its_part_of_the_certificate() {
    let kit = complete();
    let ask = asked(kit.machine.record(), &plane(1)).expect("its part");
    assert_eq!((ask.number, ask.attempt, ask.cluster), (9, kit.machine.record().attempt_id(), CLUSTER));
    assert_eq!(Some(ask.commit_ts), kit.machine.record().commit_ts);
    let named: Vec<_> = ask.snapshots.iter().map(|one| (one.volume.clone(), one.snapshot.clone())).collect();
    let certified: Vec<_> = snapshots(1).into_iter().map(|one| (one.volume, one.snapshot)).collect();
    assert_eq!(named, certified);
    assert!(ask.snapshots.iter().all(|one| !one.zone.is_empty()), "{:?}", ask.snapshots);
    assert_eq!(asked(kit.machine.record(), &"elsewhere".into()), None);
    // What was not told of every snapshot is compared with nothing.
    let mut record = kit.machine.record().clone();
    record.request.size_level = SizeLevel::Full;
    assert_eq!(asked(&record, &plane(1)).unwrap().full_bytes, record.planes[&plane(1)].completed_bytes);
    record.planes.get_mut(&plane(1)).unwrap().unknown_sizes = 1;
    assert_eq!(asked(&record, &plane(1)).unwrap().full_bytes, None);
    record.request.size_level = SizeLevel::None;
    record.planes.get_mut(&plane(1)).unwrap().unknown_sizes = 0;
    assert_eq!(asked(&record, &plane(1)).unwrap().full_bytes, None);
}
