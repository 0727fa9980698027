//! One trace for each attempt, handed on when it has ended: nothing is while anything is held.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use shared::{
    barrier::{Milestone, Phase},
    ids::Attempt,
    trace::TraceId,
};
use std::{rc::Rc, time::Duration};
use tests::rig::{KEY, Rig};

#[test]
fn each_attempt_is_one_trace_and_none_is_told_under_the_hold() {
    story(slow(world(724)), async |rig: Rc<Rig>| {
        assert!(rig.control.traces().is_empty());
        rig.control.apply(&rig.manifest("  barrier:\n    retryWithin: 30m\n")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        assert!(rig.control.traces().is_empty(), "it holds");
        let store = rig.world.stores()[3].0;
        rig.world.restart_store(store, Duration::from_secs(1));
        while rig.record().is_none_or(|record| record.attempt < 2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        at(&rig, Milestone::Snapshotting).await;
        let failed: Vec<_> = rig.control.traces();
        assert_eq!(failed.len(), 1, "the first one is told, the second holds");
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        tokio::time::sleep(Duration::from_secs(5)).await;

        let told = rig.control.traces();
        let attempts: Vec<_> = told.iter().map(|one| one.view.record.attempt).collect();
        assert_eq!(attempts, [1, 2]);
        assert!(told[0].view.record.failure.is_some() && told[1].view.phase == Phase::Complete);
        assert!(told[0].began < told[0].ended && told[0].ended <= told[1].began && told[1].began < told[1].ended);
        for one in &told {
            let steps = one.view.record.moments.steps();
            assert!(steps.iter().any(|moments| moments.step == Phase::Snapshotting), "{steps:#?}");
            let last = steps.last().map(|last| one.began + last.began);
            assert!(last.is_some_and(|last| last <= one.ended), "its steps lie within it: {last:?}, {:?}", one.ended);
        }
        // By which id people find it.
        let object = rig.control.get(KEY).unwrap();
        let attempt = Attempt { backup: told[1].view.record.request.backup.clone(), number: 2 };
        assert_eq!(object["status"]["barrier"]["traceId"], TraceId::of(&attempt).to_string());
        nothing_left(&rig).await;
    });
}
