//! Nothing waits in silence: what blocks a backup is told where people look, once, until it is over. What passes by itself
//! is tried again.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use shared::barrier::Stage as Durable;
use std::{rc::Rc, time::Duration};
use tests::{
    stage::{KEY, Stage},
    world::Ec2Faults,
};

/// A condition's reason and message, if it is there.
fn condition(stage: &Stage, kind: &str) -> Option<(String, String)> {
    let object = stage.control.get(KEY)?;
    let all = object["status"]["conditions"].as_array()?;
    let found = all.iter().find(|condition| condition["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

fn warnings(stage: &Stage, reason: &str) -> usize {
    stage.control.events().iter().filter(|event| !event.normal && event.reason == reason).count()
}

#[test]
fn metadata_that_cannot_be_written_is_told_until_it_can() {
    story(world(31), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Certified).await;
        stage.world.faults(|f| f.s3_denied = true);
        soon("the status says why", || condition(&stage, "Blocked").is_some()).await;
        tokio::time::sleep(Duration::from_secs(900)).await;
        let (reason, message) = condition(&stage, "Blocked").unwrap();
        assert!(
            reason == "AccessDenied" && message.contains("s3:") && message.contains("plane az"),
            "{reason}: {message}"
        );
        let planes = stage.world.config().planes.len();
        assert_eq!(warnings(&stage, "AccessDenied"), planes, "once per plane, however often it is tried");
        let rows = stage.control.get(KEY).unwrap()["status"]["backups"].clone();
        assert!(rows.as_array().unwrap().iter().all(|row| row["reason"] == "AccessDenied"), "{rows}");
        stage.world.faults(|f| f.s3_denied = false);
        assert_eq!(stage.ended(LIMIT).await, "Complete");
        assert_eq!(condition(&stage, "Blocked"), None);
        nothing_left(&stage).await;
    });
}

#[test]
fn a_failed_attempt_that_cannot_be_cleaned_is_told() {
    story(slow(world(32)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Snapshotting).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.world.faults(|f| {
            f.ec2.insert("az1".into(), Ec2Faults { denied: true, ..Ec2Faults::default() });
        });
        stage.control.annotate(KEY, "isochron.pingcap.com/cancel", "true");
        at(&stage, Durable::Failed).await;
        soon("the status says why", || condition(&stage, "CleanFailed").is_some()).await;
        let (_, message) = condition(&stage, "CleanFailed").unwrap();
        assert!(message.contains("plane az1: AccessDenied"), "{message}");
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert_eq!(warnings(&stage, "CleanFailed"), 1);
        stage.world.faults(|f| f.ec2.clear());
        soon("it is cleaned", || condition(&stage, "CleanFailed").is_none()).await;
        nothing_left(&stage).await;
    });
}

/// A plane actor that is moved to another node at the moment of the backup: its image is pulled for longer than a plane
/// is waited for.
#[test]
fn a_plane_that_is_away_for_a_while_costs_an_attempt_and_not_the_backup() {
    story(world(33), async |stage: Rc<Stage>| {
        stage.net.cut("az2");
        tokio::time::sleep(Duration::from_secs(20)).await;
        stage.control.apply(&stage.manifest("  barrier:\n    retryWithin: 30m\n")).unwrap();
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert!(warnings(&stage, "PlaneNotConnected") > 0, "{:?}", stage.control.events());
        stage.net.heal("az2");
        let complete = completes(&stage, KEY, LIMIT).await;
        assert!(complete, "{:?}", stage.record().map(|record| (record.attempt, record.stage, record.failure)));
        assert_eq!(stage.lies(), Vec::<String>::new());
        nothing_left(&stage).await;
    });
}

#[test]
fn a_store_that_is_restarting_costs_an_attempt_and_not_the_backup() {
    story(world(34), async |stage: Rc<Stage>| {
        let down = stage.world.stores()[2].0;
        stage.world.faults(|f| f.disconnected.extend([down]));
        stage.control.apply(&stage.manifest("  barrier:\n    retryWithin: 30m\n")).unwrap();
        at(&stage, Durable::Failed).await;
        assert_eq!(stage.failure().0, "StoreNotUp");
        stage.world.faults(|f| f.disconnected.clear());
        assert!(completes(&stage, KEY, LIMIT).await);
        nothing_left(&stage).await;
    });
}
