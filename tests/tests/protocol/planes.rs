//! The list of planes changes while the coordinator runs.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use shared::barrier::Stage as Durable;
use std::{rc::Rc, time::Duration};
use tests::stage::{KEY, Stage};

fn known(stage: &Stage, planes: &[&str]) {
    stage.known.send_replace(planes.iter().map(|plane| (*plane).to_owned()).collect());
}

#[test]
fn a_plane_that_is_added_is_let_in_and_its_backup_begins() {
    story(world(500), async |stage: Rc<Stage>| {
        known(&stage, &["az1", "az2"]);
        // Whoever was let in before stays.
        stage.kill_plane("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        stage.start_plane("az3");
        assert_eq!(stage.backup("", LIMIT).await, "Invalid");
        let condition = &stage.control.get(KEY).unwrap()["status"]["conditions"][0];
        assert_eq!(condition["reason"], "PlaneUnknown", "{condition:#}");
        known(&stage, &["az1", "az2", "az3"]);
        assert!(completes(&stage, KEY, LIMIT).await, "{:#?}", stage.control.events());
        nothing_left(&stage).await;
    });
}

#[test]
fn a_plane_that_is_removed_finishes_and_cleans_what_it_has_a_part_in() {
    story(slow(world(501)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Snapshotting).await;
        known(&stage, &["az1", "az2"]);
        assert_eq!(stage.ended(LIMIT).await, "Complete", "{:?}", stage.failure());
        stage.control.apply(&stage.manifest_of("second", "q", "Delete", "")).unwrap();
        soon("the second one is refused", || stage.control.phase("br-admin/second") == "Invalid").await;
        stage.kill_plane("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        stage.start_plane("az3");
        stage.control.delete("br-admin/second");
        nothing_left(&stage).await;
    });
}

/// Nothing in memory says who has a part in a backup that has ended: its record does, and its deletion waits for them.
#[test]
fn a_deletion_waits_for_a_plane_that_was_removed_after_the_end() {
    for restarted in [false, true] {
        story(world(502), async |stage: Rc<Stage>| {
            assert_eq!(stage.backup("", LIMIT).await, "Complete", "{:?}", stage.failure());
            tokio::time::sleep(Duration::from_secs(30)).await;
            known(&stage, &["az1", "az2"]);
            stage.kill_plane("az3");
            if restarted {
                stage.kill_coordinator();
                stage.start_coordinator();
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(!stage.delete(Duration::from_secs(900)).await, "nobody asked az3");
            assert_eq!(stage.record().unwrap().stage, Durable::Cleaning);
            let status = stage.control.get(KEY).unwrap()["status"].clone();
            assert_eq!(status["barrier"]["waitingFor"], "planes to come back: az3", "{status:#}");
            stage.start_plane("az3");
            nothing_left(&stage).await;
        });
    }
}
