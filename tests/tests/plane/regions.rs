//! How often stores are asked: each list wakes every peer of its store, and each region's word takes a lock of the whole
//! store, so that a barrier asks only for what it does not know.

use crate::{scenario, scripted::ScriptedCoordinator};
use std::time::Duration;
use tests::world::{Counters, World, WorldConfig};

/// Nothing moves a region but the test.
fn still(seed: u64) -> WorldConfig {
    WorldConfig { scheduler_every: None, unruly_every: None, ..WorldConfig::seeded(seed) }
}

fn since(world: &World, before: Counters) -> (u64, u64, u64) {
    let now = world.mutations();
    (now.tikv_lists - before.tikv_lists, now.tikv_asks - before.tikv_asks, now.tikv_waits - before.tikv_waits)
}

/// What leaders said in Preparing, where nothing is held, is not asked again.
#[test]
fn under_a_hold_nobody_is_asked_what_he_said_in_preparing() {
    scenario(still(31), |world| async move {
        let stores = world.stores().len() as u64;
        let mut hand = ScriptedCoordinator::new(&world);
        let before = world.mutations();
        hand.prepare().await;
        let (lists, asked, _) = since(&world, before);
        assert!(lists == stores && asked > 0, "{lists} lists of {stores} stores, {asked} regions asked");
        let before = world.mutations();
        hand.settle().await;
        assert_eq!(since(&world, before), (stores, 0, 0), "Settle: lists, regions asked, waits");
        hand.suspend().await;
        let before = world.mutations();
        hand.cover().await;
        let (lists, again, waits) = since(&world, before);
        assert_eq!((again, waits), (0, asked), "Cover: regions asked, waits");
        // Who leads nothing is not asked twice.
        assert!(lists <= 2 * stores, "{lists} lists of {stores} stores");
        hand.snapshot().await;
        hand.confirm().await;
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
    });
}

/// One region that does not say its `safe_ts` for a minute costs its store a list now and then, and the others nothing.
#[test]
fn a_region_that_is_stuck_in_settle_is_asked_for_alone() {
    scenario(still(32), |world| async move {
        let stores = world.stores().len() as u64;
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.split_in_silence();
        hand.silence_ends_in(Duration::from_secs(60));
        let before = world.mutations();
        hand.settle().await;
        let (lists, asked, _) = since(&world, before);
        assert!(lists <= stores + 6, "{lists} lists of {stores} stores");
        // Both halves of the split are new; a minute of asking, at most each second.
        assert!(asked <= 130, "{asked} questions");
    });
}

/// A region in doubt is proved alone, and the rest of its store is not waited for again.
#[test]
fn a_doubt_in_cover_repeats_what_is_in_doubt() {
    scenario(still(33), |world| async move {
        let stores = world.stores().len() as u64;
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.split_in_silence();
        hand.wait(Duration::from_millis(500)).await;
        hand.suspend().await;
        hand.silence_ends_in(Duration::from_secs(20));
        let before = world.mutations();
        hand.cover().await;
        let (lists, _, waits) = since(&world, before);
        assert!(lists <= 2 * stores + 6, "{lists} lists of {stores} stores");
        let regions = hand.regions;
        assert_eq!(waits, regions, "every region waits once");
        hand.snapshot().await;
        hand.confirm().await;
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
    });
}
