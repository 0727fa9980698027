//! Nothing waits in silence: what blocks a backup is told where people look, once, until it is over. What passes by itself
//! is tried again.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::Ec2Faults,
};

/// A condition's reason and message, if it is there.
fn condition(rig: &Rig, kind: &str) -> Option<(String, String)> {
    let object = rig.control.get(KEY)?;
    let all = object["status"]["conditions"].as_array()?;
    let found = all.iter().find(|condition| condition["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

fn warnings(rig: &Rig, reason: &str) -> usize {
    rig.control.events().iter().filter(|event| !event.normal && event.reason == reason).count()
}

#[test]
fn metadata_that_cannot_be_written_is_told_until_it_can() {
    story(world(31), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Certified).await;
        rig.world.faults(|f| f.s3_denied = true);
        soon("the status says why", || condition(&rig, "Blocked").is_some()).await;
        tokio::time::sleep(Duration::from_secs(900)).await;
        let (reason, message) = condition(&rig, "Blocked").unwrap();
        assert!(
            reason == "AccessDenied" && message.contains("s3:") && message.contains("plane az"),
            "{reason}: {message}"
        );
        let planes = rig.world.config().planes.len();
        assert_eq!(warnings(&rig, "AccessDenied"), planes, "once per plane, however often it is tried");
        let rows = rig.control.get(KEY).unwrap()["status"]["backups"].clone();
        assert!(rows.as_array().unwrap().iter().all(|row| row["reason"] == "AccessDenied"), "{rows}");
        rig.world.faults(|f| f.s3_denied = false);
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        assert_eq!(condition(&rig, "Blocked"), None);
        nothing_left(&rig).await;
    });
}

#[test]
fn a_failed_attempt_that_cannot_be_cleaned_is_told() {
    story(slow(world(32)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        rig.world.faults(|f| {
            f.ec2.insert("az1".into(), Ec2Faults { denied: true, ..Ec2Faults::default() });
        });
        rig.control.annotate(KEY, "isochron.pingcap.com/cancel", "true");
        at(&rig, Milestone::Failed).await;
        soon("the status says why", || condition(&rig, "CleanFailed").is_some()).await;
        let (_, message) = condition(&rig, "CleanFailed").unwrap();
        assert!(message.contains("plane az1: AccessDenied"), "{message}");
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert_eq!(warnings(&rig, "CleanFailed"), 1);
        rig.world.faults(|f| f.ec2.clear());
        soon("it is cleaned", || condition(&rig, "CleanFailed").is_none()).await;
        nothing_left(&rig).await;
    });
}

/// A plane actor that is moved to another node at the moment of the backup: its image is pulled for longer than a plane
/// is waited for.
#[test]
fn a_plane_that_is_away_for_a_while_costs_an_attempt_and_not_the_backup() {
    story(world(33), async |rig: Rc<Rig>| {
        rig.net.cut("az2");
        tokio::time::sleep(Duration::from_secs(20)).await;
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 30m\n")).unwrap();
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert!(warnings(&rig, "PlaneNotConnected") > 0, "{:?}", rig.control.events());
        rig.net.heal("az2");
        let complete = completes(&rig, KEY, LIMIT).await;
        assert!(complete, "{:?}", rig.record().map(|record| (record.attempt, record.milestone, record.failure)));
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}

#[test]
fn a_store_that_is_restarting_costs_an_attempt_and_not_the_backup() {
    story(world(34), async |rig: Rc<Rig>| {
        let down = rig.world.stores()[2].0;
        rig.world.faults(|f| f.disconnected.extend([down]));
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 30m\n")).unwrap();
        at(&rig, Milestone::Failed).await;
        assert_eq!(rig.failure().0, "StoreNotUp");
        rig.world.faults(|f| f.disconnected.clear());
        assert!(completes(&rig, KEY, LIMIT).await);
        nothing_left(&rig).await;
    });
}
