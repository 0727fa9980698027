//! Loss, copies, jitter and overtaking: QUIC mends them all, so a backup must be Complete and true under each.

use crate::{LIMIT, nothing_left, story, world};
use std::time::Duration;
use tests::quic_net::Weather;

/// Different kinds of moderately bad networks, worse than a barrier should ever be run over.
const MODERATE: [Weather; 4] = [
    Weather { loss: 100, ..Weather::CALM },
    Weather { duplicate: 300, delay: (5, 60), ..Weather::CALM },
    Weather { late: 200, delay: (1, 20), ..Weather::CALM },
    Weather { loss: 50, duplicate: 100, late: 50, delay: (20, 80), ..Weather::CALM },
];

#[test]
fn a_backup_over_a_moderately_bad_network_is_complete_and_true() {
    let mut hurt = 0;
    for seed in 1..=12 {
        hurt += story(world(seed), async |rig| {
            rig.net.wire.weather(MODERATE[seed as usize % MODERATE.len()]);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(rig.backup("", LIMIT).await, "Complete", "seed {seed}: {:?}", rig.failure());
            assert_eq!(rig.lies(), Vec::<String>::new(), "seed {seed}");
            nothing_left(&rig, &format!("seed {seed}")).await;
            let counts = rig.net.wire.counts();
            counts.lost + counts.copied
        });
    }
    assert!(hurt > 500, "the weather was good: {hurt}");
}
