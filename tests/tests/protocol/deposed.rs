//! A coordinator that was deposed and does not know it yet: what its successor does not know must not become the truth.

use crate::{LIMIT, at, soon, story, world};
use plane_actor::ports::PlaneView;
use shared::{barrier::Milestone, member::Phase as Member};
use std::{rc::Rc, time::Duration};
use tests::{
    control::Scope,
    rig::{KEY, NAMESPACE, Rig},
};

/// Longer than a plane takes to notice that its coordinator is gone, and to find the successor.
const RECONNECT: Duration = Duration::from_secs(40);

/// The successor read the ledger while the first attempt had failed; the deposed one completes a second attempt.
#[test]
fn a_stale_last_word_never_replaces_a_true_one() {
    story(world(300), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 10m\n")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.world.faults(|faults| faults.stranger = true);
        at(&rig, Milestone::Failed).await;
        rig.world.faults(|faults| faults.stranger = false);
        rig.depose_coordinator();
        at(&rig, Milestone::Complete).await;
        assert_eq!(rig.record().map(|record| record.attempt), Some(2));
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.kill_deposed();
        let begun = tokio::time::Instant::now();
        let mut said = Vec::new();
        while begun.elapsed() < RECONNECT {
            said.push(rig.control.phase(KEY));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        said.dedup();
        assert_eq!(said, ["Complete"], "a Complete backup stays Complete whoever reports it");
    });
}

/// The successor read the ledger before the deposed one claimed the TiDB cluster, and its own barrier never claims.
#[test]
fn a_claim_of_a_deposed_coordinator_goes_with_its_backup() {
    story(world(301), async |rig: Rc<Rig>| {
        rig.control.ledger_takes(300, 300, 1);
        rig.control.apply(&rig.manifest("")).unwrap();
        let prepared = || {
            let is_prepared = |view: &PlaneView| view.members.iter().any(|member| member.phase == Member::Prepared);
            ["az1", "az2", "az3"].iter().all(|plane| rig.plane_view(plane, is_prepared) == Some(true))
        };
        soon("every plane has prepared", prepared).await;
        rig.depose_coordinator();
        soon("the deposed one claims", || !rig.claims().is_empty()).await;
        rig.kill_deposed();
        assert!(rig.claims().iter().all(|claim| claim.live.is_some()), "{:?}", rig.claims());
        assert!(rig.delete(LIMIT).await, "{:?}", rig.record());
        tokio::time::sleep(Duration::from_secs(10)).await;
        let left: Vec<_> = rig.claims().into_iter().filter(|claim| claim.live.is_some()).collect();
        assert_eq!(left, Vec::new(), "nobody is left who would end these");
    });
}

/// Both see the object go with its namespace. The deposed one lets it go, and somebody's tool makes the namespace again,
/// before the other asks for the cause.
#[test]
fn an_object_that_another_process_let_go_with_its_namespace_was_deleted_by_nobody() {
    story(world(305), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Complete).await;
        rig.depose_coordinator();
        tokio::time::sleep(Duration::from_secs(5)).await;
        rig.control.remakes_namespaces();
        rig.control.tear_down(&Scope::Namespace(NAMESPACE.to_owned()));
        soon("the object is gone", || rig.control.get(KEY).is_none()).await;
        tokio::time::sleep(RECONNECT).await;
        rig.kill_deposed();
        tokio::time::sleep(RECONNECT).await;
        assert_eq!(rig.record().map(|record| (record.milestone, record.deleting)), Some((Milestone::Complete, false)));
        assert_eq!(rig.world.mutations().ec2_deletes, 0);
    });
}
