//! The list of planes changes while the coordinator runs.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::rig::{KEY, Rig};

fn known(rig: &Rig, planes: &[&str]) {
    rig.known.send_replace(planes.iter().map(|plane| (*plane).to_owned()).collect());
}

#[test]
fn a_plane_that_is_added_is_let_in_and_its_backup_begins() {
    story(world(500), async |rig: Rc<Rig>| {
        known(&rig, &["az1", "az2"]);
        // Whoever was let in before stays.
        rig.kill_plane("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        rig.start_plane("az3");
        assert_eq!(rig.backup("", LIMIT).await, "Invalid");
        let condition = &rig.control.get(KEY).unwrap()["status"]["conditions"][0];
        assert_eq!(condition["reason"], "PlaneUnknown", "{condition:#}");
        known(&rig, &["az1", "az2", "az3"]);
        assert!(completes(&rig, KEY, LIMIT).await, "{:#?}", rig.control.events());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_plane_that_is_removed_finishes_and_cleans_what_it_has_a_part_in() {
    story(slow(world(501)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        known(&rig, &["az1", "az2"]);
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        soon("the second one is refused", || rig.control.phase("br-admin/second") == "Invalid").await;
        rig.kill_plane("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        rig.start_plane("az3");
        rig.control.delete("br-admin/second");
        nothing_left(&rig).await;
    });
}

/// Nothing in memory says who has a part in a backup that has ended: its record does, and its deletion waits for them.
#[test]
fn a_deletion_waits_for_a_plane_that_was_removed_after_the_end() {
    for restarted in [false, true] {
        story(world(502), async |rig: Rc<Rig>| {
            assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
            tokio::time::sleep(Duration::from_secs(30)).await;
            known(&rig, &["az1", "az2"]);
            rig.kill_plane("az3");
            if restarted {
                rig.kill_coordinator();
                rig.start_coordinator();
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(!rig.delete(Duration::from_secs(900)).await, "nobody asked az3");
            assert_eq!(rig.record().unwrap().milestone, Milestone::Cleaning);
            let status = rig.control.get(KEY).unwrap()["status"].clone();
            assert_eq!(status["barrier"]["waitingFor"], "planes to come back: az3", "{status:#}");
            rig.start_plane("az3");
            nothing_left(&rig).await;
        });
    }
}
