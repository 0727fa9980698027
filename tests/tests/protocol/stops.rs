//! SIGTERM at the coordinator: what is under way finishes, nothing new begins, and the successor finds nothing to mend.

use crate::{HOLDS_END, LIMIT, at, completes, nothing_left, slow, soon, story, world};
use coordinator::{config::STOP_GRACE, ending::ABORT_LIMIT};
use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::{
    control::parse_record,
    rig::{KEY, Rig},
};
use tokio::time::Instant;

/// From the demand to the end of the process.
async fn ended(rig: &Rig) -> Duration {
    let begun = Instant::now();
    soon("the coordinator ends", || !rig.coordinator_runs()).await;
    begun.elapsed()
}

fn held(rig: &Rig) -> u64 {
    let left = rig.world.left_over();
    left.leases + left.paused_schedulers
}

fn milestone_of(rig: &Rig) -> Option<Milestone> {
    rig.record().map(|record| record.milestone)
}

fn names(rig: &Rig) -> Vec<String> {
    let ledger = rig.control.ledger();
    let texts = ledger.iter().filter(|(key, _)| matches!(key, coordinator::ports::LedgerKey::Record(_)));
    let read = texts.filter_map(|(_, text)| parse_record(text));
    read.map(|record| format!("{} {:?}", record.request.name, record.milestone)).collect()
}

#[test]
fn a_backup_survives_a_coordinator_that_is_told_to_end_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(400 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            rig.tell_coordinator_to_end();
            assert!(ended(&rig).await < Duration::from_secs(60), "told after {moment:?}");
            let left = milestone_of(&rig);
            let between =
                matches!(left, None | Some(Milestone::Preparing | Milestone::Certified | Milestone::Complete));
            assert!(between, "told after {moment:?}, it left {left:?}");
            assert_eq!(held(&rig), 0, "told after {moment:?}, {left:?}");
            rig.start_coordinator();
            assert_eq!(rig.ended(LIMIT).await, "Complete", "told after {moment:?}: {:?}", rig.failure());
            assert_eq!(rig.record().unwrap().attempt, 1);
            assert_eq!(rig.lies(), Vec::<String>::new(), "told after {moment:?}");
            nothing_left(&rig).await;
        });
    }
}

/// The first backup is under the hold, the second waits for it, the third comes too late.
#[test]
fn nothing_new_begins_while_a_coordinator_drains() {
    story(slow(world(430)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        soon("the second one is admitted", || names(&rig).contains(&"second Preparing".to_owned())).await;
        rig.tell_coordinator_to_end();
        rig.control.apply(&rig.manifest_of("third", "r", "Delete", "")).unwrap();
        ended(&rig).await;
        assert_eq!(names(&rig), ["backup Certified", "second Preparing"]);
        assert!(rig.claims().iter().all(|claim| claim.live.is_none()), "{:?}", rig.claims());
        tokio::time::sleep(HOLDS_END).await;
        assert_eq!(held(&rig), 0);
        rig.start_coordinator();
        for key in [KEY, "br-admin/second", "br-admin/third"] {
            assert!(completes(&rig, key, LIMIT).await, "{key}: {:#?}", rig.control.events());
        }
    });
}

#[test]
fn the_second_signal_aborts_and_the_planes_let_go_at_once() {
    story(slow(world(431)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        rig.tell_coordinator_to_end();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(rig.coordinator_runs() && held(&rig) > 0);
        rig.tell_coordinator_to_end();
        let taken = ended(&rig).await;
        assert!(taken < ABORT_LIMIT, "{taken:?}");
        assert_eq!((held(&rig), milestone_of(&rig)), (0, Some(Milestone::Failed)));
        assert_eq!(rig.failure().0, "CoordinatorRestarted");
        rig.start_coordinator();
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_barrier_that_outlives_the_grace_is_aborted() {
    story(world(432), async |rig: Rc<Rig>| {
        let all = rig.world.stores().into_iter().map(|(store, _)| store).collect();
        rig.world.faults(|faults| faults.stuck_safe_ts = all);
        tokio::time::sleep(Duration::from_secs(60)).await;
        rig.control.apply(&rig.manifest("  barrier:\n    settleTimeout: 9m\n    safeTsMaxAge: 30s\n")).unwrap();
        at(&rig, Milestone::Barrier).await;
        rig.tell_coordinator_to_end();
        let (taken, grace) = (ended(&rig).await, Duration::from_millis(STOP_GRACE.0));
        assert!(taken >= grace && taken < grace + ABORT_LIMIT, "{taken:?}");
        assert_eq!((held(&rig), rig.failure().0.as_str()), (0, "CoordinatorRestarted"));
    });
}

#[test]
fn who_has_nothing_to_do_ends_at_once() {
    story(world(433), async |rig: Rc<Rig>| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.tell_coordinator_to_end();
        assert!(ended(&rig).await < Duration::from_millis(100));
    });
}

/// A schedule of one run a minute: those that come due while a coordinator drains are its successor's.
#[test]
fn no_run_begins_while_a_coordinator_drains() {
    story(slow(world(434)), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| {
            for plane in ["az1", "az2", "az3"] {
                faults.ec2.entry(plane.to_owned()).or_default().slow_create = Duration::from_secs(40);
            }
        });
        let schedule = crate::schedules::manifest(&rig, "nightly", &serde_json::json!({}));
        rig.control.apply(&schedule.replace("\"prefix\":\"p\"", "\"prefix\":\"nightly\"")).unwrap();
        soon("the first run is under the hold", || milestone_of(&rig) == Some(Milestone::Snapshotting)).await;
        rig.control.apply(&schedule.replace("@every 60s", "@every 10s")).unwrap();
        rig.tell_coordinator_to_end();
        let taken = ended(&rig).await;
        assert!(taken > Duration::from_secs(20), "runs came due meanwhile: {taken:?}");
        assert_eq!(rig.control.backups_of("nightly").len(), 1, "{:#?}", rig.control.events());
        rig.start_coordinator();
        soon("the successor goes on", || rig.control.backups_of("nightly").len() > 1).await;
    });
}
