//! `kill -9` of anybody at any moment: the outcome is legal, every hold ends within its bound, nothing is left.

use crate::{HOLDS_END, LIMIT, completes, nothing_left, soon, story, world};
use std::{rc::Rc, time::Duration};
use tests::stage::{KEY, Stage};

async fn holds_gone(stage: &Stage) -> Duration {
    let begun = tokio::time::Instant::now();
    loop {
        let left = stage.world.left_over();
        if left.leases + left.paused_schedulers == 0 {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < HOLDS_END, "held after {HOLDS_END:?}: {:?}", left.names);
    }
}

async fn judge(stage: &Stage, what: &str) {
    let phase = stage.ended(LIMIT).await;
    match phase.as_str() {
        "Complete" => assert_eq!(stage.lies(), Vec::<String>::new(), "{what}"),
        "Failed" => {}
        other => panic!("{what}: ended as {other:?} with {:?}", stage.record().map(|record| record.stage)),
    }
    nothing_left(stage).await;
}

#[test]
fn the_coordinator_dies_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(20 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            stage.kill_coordinator();
            holds_gone(&stage).await;
            stage.start_coordinator();
            judge(&stage, &format!("coordinator killed after {moment:?}")).await;
        });
    }
}

#[test]
fn the_coordinator_dies_and_is_back_at_once() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(60 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            stage.kill_coordinator();
            stage.start_coordinator();
            judge(&stage, &format!("coordinator restarted after {moment:?}")).await;
        });
    }
}

#[test]
fn a_plane_dies_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(100 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            let plane = ["az1", "az2", "az3"][step as usize % 3];
            stage.kill_plane(plane);
            if step % 2 == 0 {
                holds_gone(&stage).await;
            }
            stage.start_plane(plane);
            judge(&stage, &format!("{plane} killed after {moment:?}")).await;
        });
    }
}

#[test]
fn everybody_dies_and_only_the_planes_come_back() {
    story(world(140), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_millis(1_900)).await;
        stage.kill_coordinator();
        ["az1", "az2", "az3"].iter().for_each(|plane| stage.kill_plane(plane));
        let taken = holds_gone(&stage).await;
        assert!(taken <= HOLDS_END, "{taken:?}");
        ["az1", "az2", "az3"].iter().for_each(|plane| stage.start_plane(plane));
        stage.start_coordinator();
        judge(&stage, "everybody killed").await;
        assert!(stage.control.get(KEY).is_none());
    });
}

/// The second backup waited for the TiDB cluster and prepares anew when the coordinator dies: its successor does not know
/// how often planes were asked.
#[test]
fn a_backup_that_prepares_anew_survives_a_restart_of_the_coordinator() {
    story(world(150), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        stage.control.apply(&stage.manifest_of("second", "q", "Delete", "")).unwrap();
        let given_back = || stage.claims().iter().any(|claim| claim.live.is_none());
        soon("the first backup lets its claim go", given_back).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.kill_coordinator();
        stage.start_coordinator();
        let (first, second) =
            futures::join!(completes(&stage, KEY, LIMIT), completes(&stage, "br-admin/second", LIMIT));
        assert!(first && second, "{:#?}", stage.control.events());
    });
}

/// Told to end, a plane lets go and says so at once: nobody waits for what ends by itself. What is about to be released
/// is given its moment.
#[test]
fn a_plane_that_is_told_to_end_holds_nobody() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(200 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            let plane = ["az1", "az2", "az3"][step as usize % 3];
            assert!(stage.tell_plane_to_end(plane));
            let told = tokio::time::Instant::now();
            while stage.plane_runs(plane) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(told.elapsed() < Duration::from_secs(2), "{plane}, told after {moment:?}, still runs");
            }
            let all = holds_gone(&stage).await;
            assert!(all < Duration::from_secs(2), "{plane}, told after {moment:?}, left holds for {all:?}");
            stage.start_plane(plane);
            if stage.ended(LIMIT).await == "Failed" {
                let (reason, message) = stage.failure();
                // Whoever comes after it has not prepared.
                let told = reason == "PlaneRestarted" && message.contains("told to end");
                assert!(told || reason == "NotPrepared", "{moment:?}: {reason}: {message}");
            }
            judge(&stage, &format!("{plane} told to end after {moment:?}")).await;
        });
    }
}

/// The same while leases are being taken, some of them on their way: what no one knows yet to be held is let go as well.
#[test]
fn a_plane_that_is_told_to_end_while_it_takes_leases_leaves_none() {
    for step in 0..20 {
        story(world(250 + step), async |stage: Rc<Stage>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            let suspending = |view: &plane_actor::ports::PlaneView| {
                view.members.iter().any(|member| member.stage == shared::member::Stage::Suspending)
            };
            soon("leases are being taken", || stage.plane_view("az2", suspending) == Some(true)).await;
            tokio::time::sleep(Duration::from_millis(step * 3)).await;
            assert!(stage.tell_plane_to_end("az2"));
            soon("the plane ends", || !stage.plane_runs("az2")).await;
            let own = stage.world.stores().into_iter().filter(|(_, plane)| plane == "az2").map(|(store, _)| store);
            let held = stage.world.leased_for_longer();
            let left: Vec<_> = own.filter(|store| held.contains(store)).collect();
            assert!(left.is_empty(), "told {} ms after it began, it left {left:?} leased", step * 3);
        });
    }
}
