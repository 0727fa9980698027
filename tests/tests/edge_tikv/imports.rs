//! The weaker hold: imports of a store that knows no prepare call are suspended (`facts/pd-tikv.md` §1.13).

use crate::{LEASE, World};
use plane_actor::ports::HoldError;
use shared::{evidence::HoldKind, time::Millis};
use std::time::Duration;
use tests::servers::tikv::Mode;
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn imports_of_an_old_store_are_suspended_again_and_again() {
    let world = World::start(17);
    let store = world.store(0);
    world.cluster.turn(store, |knobs| knobs.mode = Mode::Old);
    let hold = world.tikv(0).await.open_weaker_hold().await.unwrap();
    assert_eq!(hold.kind(), HoldKind::Weaker);
    assert_eq!(hold.lease(LEASE).await, Ok(false), "nobody had suspended them");
    assert!(world.cluster.imports_suspended(store));
    assert_eq!(hold.lease(LEASE).await, Ok(true));
    assert_eq!(hold.wait_apply(world.led(0).await).await, Err(HoldError::Unimplemented));

    world.cluster.expire_lease(store);
    assert_eq!(hold.lease(LEASE).await, Ok(false), "there was a gap, and the renewal says so");
    world.cluster.kill(store);
    assert!(matches!(hold.lease(LEASE).await, Err(HoldError::Broken(_))));
    world.cluster.revive(store).unwrap();
    let hold = world.tikv(0).await.open_weaker_hold().await.unwrap();
    assert_eq!(hold.lease(LEASE).await, Ok(false), "a restarted store has forgotten");

    assert_eq!(hold.finish().await, Ok(true));
    assert!(!world.cluster.imports_suspended(store));
    assert_eq!(hold.finish().await, Ok(false), "there was nothing to let go");
    let counters = world.cluster.counters(store);
    assert_eq!((counters.import_stops, counters.import_starts, counters.leases), (4, 2, 0));
}

/// A later call replaces the end, so a second caller can shorten what the first one asked for.
#[tokio::test]
async fn whoever_suspends_imports_last_says_how_long() {
    let world = World::start(18);
    let store = world.store(0);
    let long = world.tikv(0).await.open_weaker_hold().await.unwrap();
    let short = world.tikv(0).await.open_weaker_hold().await.unwrap();
    assert_eq!(long.lease(LEASE).await, Ok(false));
    assert_eq!(short.lease(Millis::secs(1)).await, Ok(true));
    timeout(Duration::from_secs(5), async {
        while world.cluster.imports_suspended(store) {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("shortened to a second");
    assert_eq!(long.lease(LEASE).await, Ok(false), "the first one hears of the gap");
}

#[tokio::test]
async fn imports_that_cannot_be_suspended_say_so() {
    let world = World::start(19);
    let hold = world.tikv(0).await.open_weaker_hold().await.unwrap();
    assert!(matches!(hold.lease(Millis::secs(21_601)).await, Err(HoldError::Broken(_))), "six hours at most");
    world.cluster.turn(world.store(0), |knobs| knobs.mode = Mode::Older);
    assert_eq!(hold.lease(LEASE).await, Err(HoldError::Unimplemented));
    assert!(!world.cluster.imports_suspended(world.store(0)));
}
