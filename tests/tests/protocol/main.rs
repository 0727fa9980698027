//! The whole protocol in virtual time: real actors of both programs, the simulated world, a network that can be cut.
//! Every outcome is judged by the oracle and the bank, which know nothing of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod answers;
mod aws_calls;
mod bad_input;
mod blocked;
mod check;
mod cleaning;
mod deposed;
mod diagnose;
mod drains;
mod ec2_rules;
mod faults;
mod good;
mod kills;
mod lifecycle;
mod many;
mod midway;
mod orphans;
mod panics;
mod planes;
mod policy;
mod restore_plan;
mod restored;
mod restores;
mod schedules;
mod shared_out;
mod sizes;
mod skew;
mod standby;
mod stops;
mod tags;
mod traces;
mod verify;
mod weaker;
mod why;

use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::{
    light::planes as light_planes,
    rig::Rig,
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
async fn completes(rig: &Rig, key: &str, limit: Duration) -> bool {
    let complete = |object: Option<&serde_json::Value>| object.is_some_and(|o| o["status"]["phase"] == "Complete");
    tokio::time::timeout(limit, rig.control.wait(key, complete)).await.is_ok()
}

/// Runs a story on a rig; no actor may have panicked in it.
fn story<F: Future<Output = ()>>(config: WorldConfig, play: impl FnOnce(Rc<Rig>) -> F) {
    panics::begin();
    tests::rig::run(config, play);
    let heard = panics::heard();
    assert!(heard.is_empty(), "an actor panicked: {heard:#?}");
}

/// CreateSnapshots take 4 s, so that there is time to break something under the hold.
fn slow(mut config: WorldConfig) -> WorldConfig {
    config.ec2.create = Span(4_000, 5_000);
    config
}

/// Waits until the record is at this rig.
async fn at(rig: &Rig, wanted: Milestone) {
    for _ in 0..60_000 {
        if rig.record().is_some_and(|record| record.milestone == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never at {wanted:?}: {:?}", rig.record().map(|record| record.milestone));
}

/// Prepares the world, starts a backup with these lines of `spec`, breaks the world under the hold; it must end in Failed
/// with one of these reasons.
fn broken_under_the_hold(
    config: WorldConfig,
    prepare: impl Fn(&Rig),
    more: &str,
    break_it: impl Fn(&Rig),
    reasons: &[&str],
) {
    story(config, async |rig: Rc<Rig>| {
        prepare(&rig);
        rig.control.apply(&rig.manifest(more)).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        break_it(&rig);
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        let (reason, message) = rig.failure();
        assert!(reasons.contains(&reason.as_str()), "{reason}: {message}");
        nothing_left(&rig).await;
    });
}

/// After a failure everything is let go and cleaned: nothing of the attempt is left once the object is deleted either.
async fn nothing_left(rig: &Rig) {
    assert!(rig.delete(LIMIT).await, "deletion ends: {:?}", rig.record().map(|r| (r.milestone, r.clean_failure)));
    // A lease whose Finish could not be delivered ends by itself.
    let begun = tokio::time::Instant::now();
    while rig.world.left_over().leases > 0 && begun.elapsed() < HOLDS_END {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = rig.world.left_over();
    assert_eq!(left.total(), 0, "left over: {:?}", left.names);
    let ledger = rig.control.ledger();
    assert!(
        !ledger.keys().any(|key| matches!(key, coordinator::ports::LedgerKey::Record(_))),
        "the record goes with its object"
    );
}
