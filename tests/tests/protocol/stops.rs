//! SIGTERM at the coordinator: what is under way finishes, nothing new begins, and the successor finds nothing to mend.

use crate::{HOLDS_END, LIMIT, at, completes, nothing_left, slow, soon, story, world};
use coordinator::{config::STOP_GRACE, ending::ABORT_LIMIT};
use shared::barrier::{Record, Stage as Durable};
use std::{rc::Rc, time::Duration};
use tests::stage::{KEY, Stage};
use tokio::time::Instant;

/// From the demand to the end of the process.
async fn ended(stage: &Stage) -> Duration {
    let begun = Instant::now();
    soon("the coordinator ends", || !stage.coordinator_runs()).await;
    begun.elapsed()
}

fn held(stage: &Stage) -> u64 {
    let left = stage.world.left_over();
    left.leases + left.paused_schedulers
}

fn stage_of(stage: &Stage) -> Option<Durable> {
    stage.record().map(|record| record.stage)
}

fn names(stage: &Stage) -> Vec<String> {
    let ledger = stage.control.ledger();
    let texts = ledger.iter().filter(|(key, _)| matches!(key, coordinator::ports::LedgerKey::Record(_)));
    let read = texts.filter_map(|(_, text)| coordinator::actors::Stored::<Record>::parse(text).ok());
    read.map(|stored| format!("{} {:?}", stored.body.request.name, stored.body.stage)).collect()
}

#[test]
fn a_backup_survives_a_coordinator_that_is_told_to_end_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(400 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            stage.tell_coordinator_to_end();
            assert!(ended(&stage).await < Duration::from_secs(60), "told after {moment:?}");
            let left = stage_of(&stage);
            let between = matches!(left, None | Some(Durable::Preparing | Durable::Certified | Durable::Complete));
            assert!(between, "told after {moment:?}, it left {left:?}");
            assert_eq!(held(&stage), 0, "told after {moment:?}, {left:?}");
            stage.start_coordinator();
            assert_eq!(stage.ended(LIMIT).await, "Complete", "told after {moment:?}: {:?}", stage.failure());
            assert_eq!(stage.record().unwrap().attempt, 1);
            assert_eq!(stage.lies(), Vec::<String>::new(), "told after {moment:?}");
            nothing_left(&stage).await;
        });
    }
}

/// The first backup is under the hold, the second waits for it, the third comes too late.
#[test]
fn nothing_new_begins_while_a_coordinator_drains() {
    story(slow(world(430)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Snapshotting).await;
        stage.control.apply(&stage.manifest_of("second", "q", "Delete", "")).unwrap();
        soon("the second one is admitted", || names(&stage).contains(&"second Preparing".to_owned())).await;
        stage.tell_coordinator_to_end();
        stage.control.apply(&stage.manifest_of("third", "r", "Delete", "")).unwrap();
        ended(&stage).await;
        assert_eq!(names(&stage), ["backup Certified", "second Preparing"]);
        assert!(stage.claims().iter().all(|claim| claim.live.is_none()), "{:?}", stage.claims());
        tokio::time::sleep(HOLDS_END).await;
        assert_eq!(held(&stage), 0);
        stage.start_coordinator();
        for key in [KEY, "br-admin/second", "br-admin/third"] {
            assert!(completes(&stage, key, LIMIT).await, "{key}: {:#?}", stage.control.events());
        }
    });
}

#[test]
fn the_second_signal_aborts_and_the_planes_let_go_at_once() {
    story(slow(world(431)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Snapshotting).await;
        stage.tell_coordinator_to_end();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(stage.coordinator_runs() && held(&stage) > 0);
        stage.tell_coordinator_to_end();
        let taken = ended(&stage).await;
        assert!(taken < ABORT_LIMIT, "{taken:?}");
        assert_eq!((held(&stage), stage_of(&stage)), (0, Some(Durable::Failed)));
        assert_eq!(stage.failure().0, "CoordinatorRestarted");
        stage.start_coordinator();
        assert_eq!(stage.ended(LIMIT).await, "Failed");
        nothing_left(&stage).await;
    });
}

#[test]
fn a_barrier_that_outlives_the_grace_is_aborted() {
    story(world(432), async |stage: Rc<Stage>| {
        let all = stage.world.stores().into_iter().map(|(store, _)| store).collect();
        stage.world.faults(|faults| faults.stuck_safe_ts = all);
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.control.apply(&stage.manifest("  barrier:\n    settleTimeout: 9m\n    safeTsMaxAge: 30s\n")).unwrap();
        at(&stage, Durable::Barrier).await;
        stage.tell_coordinator_to_end();
        let (taken, grace) = (ended(&stage).await, Duration::from_millis(STOP_GRACE.0));
        assert!(taken >= grace && taken < grace + ABORT_LIMIT, "{taken:?}");
        assert_eq!((held(&stage), stage.failure().0.as_str()), (0, "CoordinatorRestarted"));
    });
}

#[test]
fn who_has_nothing_to_do_ends_at_once() {
    story(world(433), async |stage: Rc<Stage>| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.tell_coordinator_to_end();
        assert!(ended(&stage).await < Duration::from_millis(100));
    });
}

/// A schedule of one run a minute: those that come due while a coordinator drains are its successor's.
#[test]
fn no_run_begins_while_a_coordinator_drains() {
    story(slow(world(434)), async |stage: Rc<Stage>| {
        stage.world.faults(|faults| {
            for plane in ["az1", "az2", "az3"] {
                faults.ec2.entry(plane.to_owned()).or_default().slow_create = Duration::from_secs(40);
            }
        });
        let schedule = crate::schedules::manifest(&stage, "nightly", &serde_json::json!({}));
        stage.control.apply(&schedule.replace("\"prefix\":\"p\"", "\"prefix\":\"nightly\"")).unwrap();
        soon("the first run is under the hold", || stage_of(&stage) == Some(Durable::Snapshotting)).await;
        stage.control.apply(&schedule.replace("@every 60s", "@every 10s")).unwrap();
        stage.tell_coordinator_to_end();
        let taken = ended(&stage).await;
        assert!(taken > Duration::from_secs(20), "runs came due meanwhile: {taken:?}");
        assert_eq!(stage.control.backups_of("nightly").len(), 1, "{:#?}", stage.control.events());
        stage.start_coordinator();
        soon("the successor goes on", || stage.control.backups_of("nightly").len() > 1).await;
    });
}
