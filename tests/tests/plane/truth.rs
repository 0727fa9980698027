//! What changes around stores between Preparing and the snapshots, and must neither fail a backup nor be in it.

use crate::{scenario, scripted::ScriptedCoordinator};
use shared::{
    ids::StoreId,
    reason::Reason,
    wire::{Answer, CleanScope, Order},
};
use std::time::Duration;
use tests::world::{Span, World, WorldConfig};

/// Confirms, releases, completes; the snapshots are those of the volumes prepared, and nothing else is left.
pub(crate) async fn ends_well(world: &World, hand: &mut ScriptedCoordinator) {
    let answers = hand.snapshot().await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
    hand.confirm().await;
    let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
    assert_eq!(world.judge(&cut), Vec::new());
    hand.all(|_| Order::Release).await;
    let answers = hand.complete().await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Completed(_))), "{answers:?}");
    let certified = hand.snapshots();
    let facts = world.facts().snapshots;
    for (id, fact) in &facts {
        assert_eq!(fact.deleted, !certified.contains(id), "{id}: {fact:?}");
    }
}

#[test]
fn a_foreign_volume_that_came_before_the_stores_were_covered_is_left_out() {
    scenario(WorldConfig::seeded(41), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        world.attach_foreign(StoreId(1));
        hand.suspend().await;
        hand.cover().await;
        ends_well(&world, &mut hand).await;
        assert_eq!(world.facts().snapshots.len(), hand.snapshots().len(), "nothing too many was made");
    });
}

#[test]
fn a_foreign_volume_that_came_at_the_last_moment_is_a_surplus() {
    scenario(WorldConfig::seeded(42), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        world.attach_foreign(StoreId(1));
        ends_well(&world, &mut hand).await;
        assert_eq!(world.facts().snapshots.len(), hand.snapshots().len() + 1);
        hand.clean(CleanScope::Backup).await;
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

/// A deletion before EC2 shows a snapshot is told that there is none.
#[test]
fn a_surplus_that_ec2_does_not_show_yet_is_waited_for() {
    let mut config = WorldConfig::seeded(49);
    (config.ec2.pending, config.ec2.visible) = (Span(100, 200), Span(30_000, 60_000));
    scenario(config, |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        world.attach_foreign(StoreId(1));
        ends_well(&world, &mut hand).await;
    });
}

#[test]
fn a_foreign_volume_that_went_at_the_last_moment_stops_nothing() {
    scenario(WorldConfig::seeded(43), |world| async move {
        world.attach_foreign(StoreId(1));
        let mut hand = ScriptedCoordinator::covered(&world).await;
        world.detach_foreign(StoreId(1));
        ends_well(&world, &mut hand).await;
    });
}

#[test]
fn no_version_in_the_snapshots_is_above_the_ceiling() {
    for seed in 44..48 {
        scenario(WorldConfig::seeded(seed), |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            hand.snapshot().await;
            hand.confirm().await;
            let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
            let pd = hand.evidence.values().find_map(|seen| seen.pd.as_ref()).unwrap();
            let ceiling = pd.ts_ceiling.unwrap();
            assert_eq!(world.above(&cut, ceiling), Vec::new());
            assert!(ceiling > hand.commit_ts);
            assert_ne!(world.above(&cut, hand.commit_ts), Vec::new(), "there is something to be wrong about");
        });
    }
}

#[test]
fn a_store_that_is_away_for_a_while_is_waited_for() {
    scenario(WorldConfig::seeded(49), |world| async move {
        world.faults(|f| assert!(f.disconnected.insert(StoreId(1))));
        let mut hand = ScriptedCoordinator::new(&world);
        let back = world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            back.faults(|f| f.disconnected.clear());
        });
        let answers = hand.prepare().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Prepared(_))), "{answers:?}");
        world.faults(|f| assert!(f.disconnected.insert(StoreId(1))));
        let begun = tokio::time::Instant::now();
        let answers = ScriptedCoordinator::new(&world).prepare().await;
        let Answer::Refused(refusal) = &answers[0] else { panic!("{answers:?}") };
        assert_eq!(refusal.reason, Reason::StoreNotUp, "{refusal}");
        assert!((60..120).contains(&begun.elapsed().as_secs()), "within Preparing: {:?}", begun.elapsed());
        assert_eq!(world.mutations().total(), 0);
    });
}

#[test]
fn a_store_that_restarted_is_waited_for_if_it_can_be_old_enough_in_time() {
    // Three minutes are needed, and Preparing may spare 80 s.
    for (age, prepared) in [(60, false), (120, true)] {
        scenario(WorldConfig::seeded(50), |world| async move {
            world.restart_store(StoreId(1), Duration::ZERO);
            tokio::time::sleep(Duration::from_secs(age)).await;
            let begun = tokio::time::Instant::now();
            let answers = ScriptedCoordinator::new(&world).prepare().await;
            match &answers[0] {
                Answer::Prepared(_) => assert!(prepared && begun.elapsed().as_secs() >= 55, "{:?}", begun.elapsed()),
                Answer::Refused(refusal) => {
                    assert!(!prepared && begun.elapsed().as_secs() < 5, "not waited for in vain: {refusal}");
                    assert_eq!(refusal.reason, Reason::StoreJustStarted);
                }
                other => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn a_store_that_is_being_removed_is_in() {
    scenario(WorldConfig::seeded(51), |world| async move {
        world.faults(|f| assert!(f.offline.insert(StoreId(1))));
        let mut hand = ScriptedCoordinator::covered(&world).await;
        ends_well(&world, &mut hand).await;
        let held = hand.evidence.values().flat_map(|seen| &seen.stores).filter(|held| held.store == StoreId(1));
        assert_eq!(held.count(), 1);
    });
}

/// Somebody paused a scheduler for an hour: it is paused through the backup, and for the rest of that hour.
#[test]
fn a_scheduler_that_somebody_had_paused_stays_paused() {
    scenario(WorldConfig::seeded(52), |world| async move {
        world.pause_scheduler("balance-region-scheduler", Duration::from_secs(3_600));
        let mut hand = ScriptedCoordinator::covered(&world).await;
        hand.snapshot().await;
        hand.confirm().await;
        hand.all(|_| Order::Release).await;
        hand.wait(Duration::from_secs(60)).await;
        let left = world.left_over();
        assert_eq!(left.paused_schedulers, 1, "{:?}", left.names);
    });
}
