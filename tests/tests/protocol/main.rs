//! The whole protocol in virtual time: real actors of both programs, the simulated world, a network that can be cut.
//! Every outcome is judged by the oracle and the bank, which know nothing of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod faults;
mod good;
mod kills;
mod schedules;
mod weaker;

use std::{rc::Rc, time::Duration};
use tests::{stage::Stage, world::WorldConfig};

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

/// Runs a story on a stage; no alarm may have been raised in it.
fn story<F: Future<Output = ()>>(config: WorldConfig, play: impl FnOnce(Rc<Stage>) -> F) {
    tests::stage::run(config, play);
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
