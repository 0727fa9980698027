//! Transport under faults: the whole system of the rig, but with the real QUIC stack between coordinator and planes
//! (mutual TLS, handshakes, retransmission, idle limits), over datagrams that are lost, copied, delayed, mangled and cut.
//! Outcomes are judged by the oracle and the bank, which know nothing of protocol or transport.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod fallback;
mod hostile;
mod loss;
mod margins;
mod partitions;
mod renewals;
mod repeat;
mod sessions;

use shared::barrier::Milestone;
use std::{rc::Rc, sync::LazyLock, time::Duration};
use tests::{
    quic_net::{Certificates, QuicNet},
    rig::{self, KEY, Network, Rig},
    world::{Span, WorldConfig},
};
use tokio::time::{Instant, sleep};

const PLANES: [&str; 3] = ["az1", "az2", "az3"];

/// A backup of the simulated cluster takes some 15 s; with faults a few minutes. Virtual time costs nothing.
const LIMIT: Duration = Duration::from_secs(1200);

/// Own lease of a plane, then the longest lease that it may just have renewed, then TiKV's whole seconds.
const HOLDS_END: Duration = Duration::from_secs(15 + 15 + 2);

/// Certificates are made once: a key costs more than a backup.
static CERTIFICATES: LazyLock<(tempfile::TempDir, Certificates)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path(), &PLANES).unwrap();
    (folder, certificates)
});

/// Small enough that the TLS stack is the greater part of the cost.
fn world(seed: u64) -> WorldConfig {
    WorldConfig { stores_per_plane: 1, regions: 6, accounts: 30, transfers_per_second: 20, ..WorldConfig::seeded(seed) }
}

/// A world whose CreateSnapshots take 4 s, so that there is time to break something under the hold.
fn slow(seed: u64) -> WorldConfig {
    let mut config = world(seed);
    config.ec2.create = Span(4_000, 5_000);
    config
}

fn story<F: Future>(config: WorldConfig, play: impl FnOnce(Rc<Rig<QuicNet>>) -> F) -> F::Output {
    let net = QuicNet::new(config.seed, CERTIFICATES.1.clone(), &PLANES);
    rig::run_over(config, net, play)
}

/// Waits until the record is at this rig.
async fn at<N: Network>(rig: &Rig<N>, wanted: Milestone) {
    for _ in 0..60_000 {
        if rig.record().is_some_and(|record| record.milestone == wanted) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("never at {wanted:?}: {:?}", rig.record().map(|record| record.milestone));
}

/// How long until no store and no scheduler is held, which must be within `bound`.
async fn holds_gone<N: Network>(rig: &Rig<N>, bound: Duration, what: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let left = rig.world.left_over();
        if left.leases + left.paused_schedulers == 0 {
            return begun.elapsed();
        }
        sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < bound, "{what}: held after {bound:?}: {:?}", left.names);
    }
}

/// The outcome is Complete and true, or Failed; then nothing is left once the object is deleted. Returns the phase.
async fn judge(rig: &Rig<QuicNet>, what: &str) -> String {
    let phase = rig.ended(LIMIT).await;
    match phase.as_str() {
        "Complete" => assert_eq!(rig.lies(), Vec::<String>::new(), "{what}"),
        "Failed" => {}
        other => panic!("{what}: ended as {other:?} with {:?}", rig.record().map(|record| record.milestone)),
    }
    nothing_left(rig, what).await;
    phase
}

async fn nothing_left<N: Network>(rig: &Rig<N>, what: &str) {
    let alarms = rig.control.get(KEY).map(|object| object["status"]["alarms"].clone());
    assert!(alarms.as_ref().is_none_or(serde_json::Value::is_null), "{what}: {alarms:?}");
    assert!(rig.delete(LIMIT).await, "{what}: deletion ends: {:?}", rig.record().map(|r| (r.milestone, r.planes)));
    // A lease whose Finish could not be delivered ends by itself.
    holds_gone(rig, HOLDS_END, what).await;
    let left = rig.world.left_over();
    assert_eq!(left.total(), 0, "{what}: left over: {:?}", left.names);
}
