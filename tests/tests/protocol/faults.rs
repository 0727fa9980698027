//! Faults inside the barrier: never a false Complete, the right word, everything let go, nothing left.

use crate::{LIMIT, at, broken_under_the_hold, completes, nothing_left, slow, soon, story, world};
use serde_json::json;
use shared::{barrier::Milestone, ids::StoreId, reason::Reason};
use shell::link::Role;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::Ec2Faults,
};

/// In an ordinary slow world.
fn broken(seed: u64, break_it: impl Fn(&Rig), reasons: &[&str]) {
    broken_under_the_hold(slow(world(seed)), |_| (), "", break_it, reasons);
}

fn store(rig: &Rig, nth: usize) -> StoreId {
    rig.world.stores()[nth].0
}

#[test]
fn a_hold_that_is_not_unbroken_never_becomes_complete() {
    let lost = ["StoreHoldLost", "StoreHeldByOther"];
    broken(1, |s| s.world.restart_store(store(s, 1), Duration::from_secs(1)), &lost);
    broken(2, |s| s.world.take_over_hold(store(s, 2), Some(10)), &lost);
    broken(3, |s| s.world.finish_by_other(store(s, 3)), &lost);
    broken(
        4,
        |s| {
            let silent = store(s, 0);
            s.world.faults(|f| f.drop_renewals.extend([silent]));
        },
        &lost,
    );
    broken(
        5,
        |s| {
            let silent = store(s, 4);
            s.world.faults(|f| f.drop_answers.extend([silent]));
        },
        &lost,
    );
}

#[test]
fn a_volume_that_moved_after_prepare_is_seen() {
    story(world(8), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        let moved = store(&rig, 1);
        rig.world.faults(|f| f.moved_volume.extend([moved]));
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        assert_eq!(rig.failure().0, "VolumeMoved", "{:?}", rig.failure());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_safe_point_that_pd_refuses_stops_before_any_lease() {
    story(world(9), async |rig: Rc<Rig>| {
        rig.world.faults(|f| f.refuse_safe_point = true);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        assert_eq!(rig.failure().0, "SafePointRefused", "{:?}", rig.failure());
        assert_eq!(rig.world.mutations().tikv_leases, 0);
        nothing_left(&rig).await;
    });
}

#[test]
fn a_region_without_safe_ts_ends_the_attempt_and_is_named() {
    story(world(10), async |rig: Rc<Rig>| {
        rig.world.faults(|f| f.zero_safe_ts = true);
        rig.world.fresh_split();
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        let (reason, message) = rig.failure();
        assert!(
            matches!(reason.as_str(), "SettleTimedOut" | "SafeTsStuck" | "CoverageUnstable"),
            "{reason}: {message}"
        );
        assert!(message.contains("region"), "{message}");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_create_call_whose_reply_is_lost_is_looked_up_and_not_repeated() {
    story(world(11), async |rig: Rc<Rig>| {
        rig.world.faults(|f| {
            f.ec2.insert("az2".into(), Ec2Faults { lose_replies: 1, ..Ec2Faults::default() });
        });
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_snapshot_that_ends_in_error_fails_the_backup() {
    story(world(12), async |rig: Rc<Rig>| {
        rig.world.faults(|f| {
            f.ec2.insert("az1".into(), Ec2Faults { error_sets: 1, ..Ec2Faults::default() });
        });
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        assert_eq!(rig.failure().0, "SnapshotFailed", "{:?}", rig.failure());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_short_cut_is_survived_and_a_long_one_is_not() {
    story(slow(world(13)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.net.cut("az2");
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.net.heal("az2");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
    story(slow(world(14)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.net.cut("az2");
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        let leases = rig.world.left_over().leases;
        assert_eq!(leases, 0, "the plane that was cut off let go by itself");
        rig.net.heal("az2");
        nothing_left(&rig).await;
    });
}

#[test]
fn deletion_and_cancellation_release_at_once() {
    for cancel in [false, true] {
        story(slow(world(15)), async |rig: Rc<Rig>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            at(&rig, Milestone::Snapshotting).await;
            let begun = tokio::time::Instant::now();
            if cancel {
                rig.control.annotate(KEY, "isochron.pingcap.com/cancel", "true");
                assert_eq!(rig.ended(LIMIT).await, "Failed");
                assert_eq!(rig.failure().0, "Cancelled");
            } else {
                rig.control.delete(KEY);
                at(&rig, Milestone::Failed).await;
            }
            assert!(begun.elapsed() < Duration::from_secs(2), "took {:?}", begun.elapsed());
            let left = rig.world.left_over();
            assert_eq!((left.leases, left.paused_schedulers, left.safe_points), (0, 0, 0), "{:?}", left.names);
            nothing_left(&rig).await;
        });
    }
}

/// A certificate says what its bearer may do, and whoever ends something is named where people look.
#[test]
fn an_operator_cancels_on_the_console_and_a_viewer_cannot() {
    story(slow(world(17)), async |rig: Rc<Rig>| {
        let cancel = json!({"ask": "cancel", "name": "backup"});
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        let refused = rig.ask_as(Role::Viewer, &cancel).await.unwrap()["error"].to_string();
        for part in ["ann is a viewer", "takes an operator", "coordinator pki admin NAME --role operator"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(rig.ask_as(Role::Viewer, &json!({"ask": "status"})).await.unwrap()["ok"].is_object());
        let louder = json!({"ask": "logLevel", "filter": "debug"});
        assert!(rig.ask_as(Role::Viewer, &louder).await.unwrap()["error"].is_string());
        assert_eq!(rig.ask_as(Role::Operator, &louder).await.unwrap()["ok"]["filter"], "debug");
        let now = json!({"ask": "logLevel", "filter": null});
        assert_eq!(rig.ask_as(Role::Viewer, &now).await.unwrap()["ok"]["filter"], "debug");
        let bad = json!({"ask": "logLevel", "filter": "no filter"});
        assert!(rig.ask_as(Role::Admin, &bad).await.unwrap()["error"].to_string().contains("cannot be read"));
        assert_eq!(rig.record().unwrap().milestone, Milestone::Snapshotting);
        let begun = tokio::time::Instant::now();
        let answer = rig.ask_as(Role::Operator, &cancel).await.unwrap();
        assert_eq!(answer["ok"]["cancelling"], "br-admin/backup");
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        assert_eq!(rig.failure().0, "Cancelled");
        assert!(begun.elapsed() < Duration::from_secs(2), "took {:?}", begun.elapsed());
        let said = rig.control.events().into_iter().filter(|event| event.reason == "Cancelling").collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].message, "ann cancelled it on the console");
        let again = rig.ask_as(Role::Operator, &cancel).await.unwrap()["error"].to_string();
        assert!(again.contains("nothing to cancel"), "{again}");
        let orphans = json!({"ask": "orphans", "delete": "u"});
        let refused = rig.ask_as(Role::Operator, &orphans).await.unwrap()["error"].to_string();
        assert!(refused.contains("takes an admin"), "{refused}");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_new_attempt_is_made_only_within_the_users_limit() {
    story(slow(world(16)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 10m\n")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.world.restart_store(store(&rig, 3), Duration::from_secs(1));
        at(&rig, Milestone::Failed).await;
        let second = completes(&rig, KEY, LIMIT).await;
        assert!(second, "{:?}", rig.record().map(|r| (r.attempt, r.milestone, r.failure, r.planes)));
        assert_eq!(rig.record().unwrap().attempt, 2);
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_deletion_while_the_record_is_read_again_waits_for_it() {
    story(slow(world(17)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        // The save of commitTs fails, so the barrier starts again from its record as soon as that can be read.
        rig.control.ledger_down(true);
        tokio::time::sleep(Duration::from_secs(8)).await;
        rig.control.delete(KEY);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(rig.control.get(KEY).is_some(), "the object must not go before what its record names");
        rig.control.ledger_down(false);
        nothing_left(&rig).await;
    });
}

#[test]
fn a_claim_that_could_not_be_given_back_holds_nobody_up() {
    story(world(18), async |rig: Rc<Rig>| {
        rig.control.ledger_takes(40, 40, 1);
        rig.control.apply(&rig.manifest("")).unwrap();
        // This save is followed by that of the claim, which finds no ledger.
        let created = || rig.record().is_some_and(|record| record.times.snapshots_created.is_some());
        soon("snapshots are created", created).await;
        rig.control.ledger_down(true);
        tokio::time::sleep(Duration::from_secs(5)).await;
        rig.control.ledger_down(false);
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        let ended = completes(&rig, "br-admin/second", LIMIT).await;
        assert!(ended, "the second backup waits for a claim that nobody holds");
    });
}

/// The session stays up all the while, so nothing but the plane's word makes the coordinator ask again.
#[test]
fn a_deletion_outlives_a_plane_that_cannot_save() {
    story(world(19), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        rig.world.faults(|f| assert!(f.ledger_down.insert("az2".into())));
        rig.control.delete(KEY);
        let told = || rig.record().and_then(|record| record.clean_failure).is_some_and(|text| text.contains("az2"));
        soon("the plane says that it cannot save", told).await;
        rig.world.faults(|f| assert!(f.ledger_down.remove("az2")));
        nothing_left(&rig).await;
    });
}

#[test]
fn a_barrier_that_a_plane_cannot_save_ends_at_once_and_begins_anew() {
    story(world(20), async |rig: Rc<Rig>| {
        rig.world.faults(|f| assert!(f.ledger_down.insert("az2".into())));
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 10m\n")).unwrap();
        at(&rig, Milestone::Failed).await;
        let failure = rig.record().and_then(|record| record.failure).unwrap();
        assert_eq!(failure.reason, Reason::LedgerLost, "{failure}");
        rig.world.faults(|f| assert!(f.ledger_down.remove("az2")));
        let second = completes(&rig, KEY, LIMIT).await;
        assert!(second, "{:?}", rig.record().map(|r| (r.attempt, r.milestone, r.failure, r.planes)));
        nothing_left(&rig).await;
    });
}

#[test]
fn a_status_is_not_far_behind_an_api_server_that_is_back() {
    story(world(21), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Preparing).await;
        rig.control.objects_down(true);
        at(&rig, Milestone::Complete).await;
        // Long enough for the waits between two tries to have grown as long as they may.
        tokio::time::sleep(Duration::from_secs(90)).await;
        rig.control.objects_down(false);
        let told = completes(&rig, KEY, Duration::from_secs(11)).await;
        assert!(told, "{:?}", rig.control.get(KEY).map(|object| object["status"]["phase"].clone()));
        nothing_left(&rig).await;
    });
}
