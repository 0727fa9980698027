//! `kill -9` of anybody at any moment: the outcome is legal, every hold ends within its bound, nothing is left.

use crate::{HOLDS_END, LIMIT, at, completes, nothing_left, soon, story, world};
use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::Span,
};

async fn holds_gone(rig: &Rig) -> Duration {
    let begun = tokio::time::Instant::now();
    loop {
        let left = rig.world.left_over();
        if left.leases + left.paused_schedulers == 0 {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < HOLDS_END, "held after {HOLDS_END:?}: {:?}", left.names);
    }
}

async fn judge(rig: &Rig, what: &str) {
    let phase = rig.ended(LIMIT).await;
    match phase.as_str() {
        "Complete" => assert_eq!(rig.lies(), Vec::<String>::new(), "{what}"),
        "Failed" => {}
        other => panic!("{what}: ended as {other:?} with {:?}", rig.record().map(|record| record.milestone)),
    }
    nothing_left(rig).await;
}

#[test]
fn the_coordinator_dies_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(20 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            rig.kill_coordinator();
            holds_gone(&rig).await;
            rig.start_coordinator();
            judge(&rig, &format!("coordinator killed after {moment:?}")).await;
        });
    }
}

#[test]
fn the_coordinator_dies_and_is_back_at_once() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(60 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            rig.kill_coordinator();
            rig.start_coordinator();
            judge(&rig, &format!("coordinator restarted after {moment:?}")).await;
        });
    }
}

#[test]
fn a_plane_dies_at_any_moment() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(100 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            let plane = ["az1", "az2", "az3"][step as usize % 3];
            rig.kill_plane(plane);
            if step % 2 == 0 {
                holds_gone(&rig).await;
            }
            rig.start_plane(plane);
            judge(&rig, &format!("{plane} killed after {moment:?}")).await;
        });
    }
}

#[test]
fn everybody_dies_and_only_the_planes_come_back() {
    story(world(140), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_millis(1_900)).await;
        rig.kill_coordinator();
        ["az1", "az2", "az3"].iter().for_each(|plane| rig.kill_plane(plane));
        let taken = holds_gone(&rig).await;
        assert!(taken <= HOLDS_END, "{taken:?}");
        ["az1", "az2", "az3"].iter().for_each(|plane| rig.start_plane(plane));
        rig.start_coordinator();
        judge(&rig, "everybody killed").await;
        assert!(rig.control.get(KEY).is_none());
    });
}

/// The second backup waited for the TiDB cluster and prepares anew when the coordinator dies: its successor does not know
/// how often planes were asked.
#[test]
fn a_backup_that_prepares_anew_survives_a_restart_of_the_coordinator() {
    story(world(150), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        let given_back = || rig.claims().iter().any(|claim| claim.live.is_none());
        soon("the first backup lets its claim go", given_back).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        rig.kill_coordinator();
        rig.start_coordinator();
        let (first, second) = futures::join!(completes(&rig, KEY, LIMIT), completes(&rig, "br-admin/second", LIMIT));
        assert!(first && second, "{:#?}", rig.control.events());
    });
}

/// Told to end, a plane lets go and says so at once: nobody waits for what ends by itself. What is about to be released
/// is given its moment.
#[test]
fn a_plane_that_is_told_to_end_holds_nobody() {
    for step in 0..24 {
        let moment = Duration::from_millis(50 + step * 150);
        story(world(200 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            tokio::time::sleep(moment).await;
            let plane = ["az1", "az2", "az3"][step as usize % 3];
            assert!(rig.tell_plane_to_end(plane));
            let told = tokio::time::Instant::now();
            while rig.plane_runs(plane) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(told.elapsed() < Duration::from_secs(2), "{plane}, told after {moment:?}, still runs");
            }
            let all = holds_gone(&rig).await;
            assert!(all < Duration::from_secs(2), "{plane}, told after {moment:?}, left holds for {all:?}");
            rig.start_plane(plane);
            if rig.ended(LIMIT).await == "Failed" {
                let (reason, message) = rig.failure();
                // Whoever comes after it has not prepared.
                let told = reason == "PlaneRestarted" && message.contains("told to end");
                assert!(told || reason == "NotPrepared", "{moment:?}: {reason}: {message}");
            }
            judge(&rig, &format!("{plane} told to end after {moment:?}")).await;
        });
    }
}

/// The same while leases are being taken, some of them on their way: what no one knows yet to be held is let go as well.
#[test]
fn a_plane_that_is_told_to_end_while_it_takes_leases_leaves_none() {
    for step in 0..20 {
        story(world(250 + step), async |rig: Rc<Rig>| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            let suspending = |view: &plane_actor::ports::PlaneView| {
                view.members.iter().any(|member| member.phase == shared::member::Phase::Suspending)
            };
            soon("leases are being taken", || rig.plane_view("az2", suspending) == Some(true)).await;
            tokio::time::sleep(Duration::from_millis(step * 3)).await;
            assert!(rig.tell_plane_to_end("az2"));
            soon("the plane ends", || !rig.plane_runs("az2")).await;
            let own = rig.world.stores().into_iter().filter(|(_, plane)| plane == "az2").map(|(store, _)| store);
            let held = rig.world.leased_for_longer();
            let left: Vec<_> = own.filter(|store| held.contains(store)).collect();
            assert!(left.is_empty(), "told {} ms after it began, it left {left:?} leased", step * 3);
        });
    }
}

/// The coordinator has the evidence for good, so nothing of the attempt is in the plane's ledger; and what its process knew
/// ends with a save that failed. EC2 shows new snapshots late.
#[test]
fn a_plane_that_knows_nothing_of_an_attempt_waits_for_what_ec2_does_not_show_yet() {
    let mut config = world(120);
    (config.ec2.visible, config.ec2.pending) = (Span(20_000, 60_000), Span(90_000, 100_000));
    story(config, async |rig: Rc<Rig>| {
        // Long enough ago to prove nothing about what is made later.
        tokio::time::sleep(Duration::from_secs(600)).await;
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Certified).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.world.faults(|faults| faults.ledger_down.insert("az1".to_owned()));
        rig.control.delete(KEY);
        tokio::time::sleep(Duration::from_secs(5)).await;
        rig.world.faults(|faults| faults.ledger_down.clear());
        assert!(rig.delete(Duration::from_secs(1_500)).await, "{:?}", rig.record());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(rig.world.facts().snapshots.values().all(|snapshot| snapshot.deleted));
    });
}
