//! The whole protocol in virtual time: real actors of both programs, the simulated world, a network that can be cut.
//! Every outcome is judged by the oracle and the bank, which know nothing of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod blocked;
mod deposed;
mod faults;
mod good;
mod kills;
mod lifecycle;
mod planes;
mod schedules;
mod standby;
mod stops;
mod weaker;

use shared::barrier::Stage as Durable;
use std::{rc::Rc, time::Duration};
use tests::{
    stage::Stage,
    world::{Span, WorldConfig},
};

/// A backup of the simulated cluster takes some 15 s; with faults a few minutes. Virtual time costs nothing.
const LIMIT: Duration = Duration::from_secs(1200);

/// Own lease of a plane, then the longest lease that it may just have renewed, then TiKV's whole seconds.
const HOLDS_END: Duration = Duration::from_secs(15 + 15 + 2);

fn world(seed: u64) -> WorldConfig {
    WorldConfig {
        stores_per_plane: 2,
        regions: 12,
        accounts: 60,
        transfers_per_second: 40,
        ..WorldConfig::seeded(seed)
    }
}

/// Looks every 5 ms until it is so.
async fn soon(what: &str, holds: impl Fn() -> bool) {
    let seen = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.expect(what);
}

/// Waits until the status of an object says Complete, whatever it said before. False: not within the limit.
async fn completes(stage: &Stage, key: &str, limit: Duration) -> bool {
    let complete = |object: Option<&serde_json::Value>| object.is_some_and(|o| o["status"]["phase"] == "Complete");
    tokio::time::timeout(limit, stage.control.wait(key, complete)).await.is_ok()
}

/// Runs a story on a stage; no alarm may have been raised in it.
fn story<F: Future<Output = ()>>(config: WorldConfig, play: impl FnOnce(Rc<Stage>) -> F) {
    tests::stage::run(config, play);
}

/// CreateSnapshots take 4 s, so that there is time to break something under the hold.
fn slow(mut config: WorldConfig) -> WorldConfig {
    config.ec2.create = Span(4_000, 5_000);
    config
}

/// Waits until the record is at this stage.
async fn at(stage: &Stage, wanted: Durable) {
    for _ in 0..60_000 {
        if stage.record().is_some_and(|record| record.stage == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never at {wanted:?}: {:?}", stage.record().map(|record| record.stage));
}

/// Prepares the world, starts a backup with these lines of `spec`, breaks the world under the hold; it must end in Failed
/// with one of these reasons.
fn broken_under_the_hold(
    config: WorldConfig,
    prepare: impl Fn(&Stage),
    more: &str,
    break_it: impl Fn(&Stage),
    reasons: &[&str],
) {
    story(config, async |stage: Rc<Stage>| {
        prepare(&stage);
        stage.control.apply(&stage.manifest(more)).unwrap();
        at(&stage, Durable::Snapshotting).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        break_it(&stage);
        assert_eq!(stage.ended(LIMIT).await, "Failed");
        let (reason, message) = stage.failure();
        assert!(reasons.contains(&reason.as_str()), "{reason}: {message}");
        nothing_left(&stage).await;
    });
}

/// After a failure everything is let go and cleaned: nothing of the attempt is left once the object is deleted either.
async fn nothing_left(stage: &Stage) {
    assert!(stage.delete(LIMIT).await, "deletion ends: {:?}", stage.record().map(|r| (r.stage, r.clean_failure)));
    // A lease whose Finish could not be delivered ends by itself.
    let begun = tokio::time::Instant::now();
    while stage.world.left_over().leases > 0 && begun.elapsed() < HOLDS_END {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = stage.world.left_over();
    assert_eq!(left.total(), 0, "left over: {:?}", left.names);
    let ledger = stage.control.ledger();
    assert!(
        !ledger.keys().any(|key| matches!(key, coordinator::ports::LedgerKey::Record(_))),
        "the record goes with its object"
    );
}
