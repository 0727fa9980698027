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
