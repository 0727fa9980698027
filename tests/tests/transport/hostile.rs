//! Somebody on the path: datagrams cut short, changed, replayed, and noise from strangers. None of it is anybody's word,
//! so a backup must be Complete and true.

use crate::{LIMIT, margins, nothing_left, story, world};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{rc::Rc, time::Duration};
use tests::{
    quic_net::{COORDINATOR_HOST, QuicNet, Weather},
    rig::Rig,
};
use tokio::time::sleep;

#[test]
fn mangled_and_replayed_datagrams_harm_nobody() {
    for seed in 1..=6 {
        story(world(seed), async |rig: Rc<Rig<QuicNet>>| {
            rig.net.wire.weather(Weather { mangle: 400, replay: 200, ..Weather::CALM });
            let watched = margins::watch(&rig);
            sleep(Duration::from_secs(2)).await;
            assert_eq!(rig.backup("", LIMIT).await, "Complete", "seed {seed}: {:?}", rig.failure());
            assert_eq!(rig.lies(), Vec::<String>::new(), "seed {seed}");
            let monitor = rig.net.monitor().unwrap();
            assert_eq!(monitor.sessions(), 3, "a replayed handshake makes no session");
            watched.tell(&format!("datagrams replayed and mangled, seed {seed}"));
            drop(watched);
            nothing_left(&rig, &format!("seed {seed}")).await;
        });
    }
}

#[test]
fn noise_from_strangers_harms_nobody() {
    story(world(7), async |rig: Rc<Rig<QuicNet>>| {
        let noise = {
            let wire = rig.net.wire.clone();
            async move {
                let mut random = SmallRng::seed_from_u64(7);
                loop {
                    let from = ([192, 0, 2, random.random_range(1..=254)], random.random_range(1..=65_535)).into();
                    let mut bytes = vec![0; random.random_range(1..=1_472)];
                    random.fill(bytes.as_mut_slice());
                    if random.random_bool(0.5) {
                        // A long header of version 1, so that it is looked at as the beginning of a handshake.
                        bytes[0] |= 0xc0;
                        bytes.splice(1..bytes.len().min(5), [0, 0, 0, 1]);
                    }
                    let host = [COORDINATOR_HOST, "az1", "az2", "az3"][random.random_range(0..4)];
                    wire.inject(from, host, &bytes);
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let noise = tokio::spawn(noise);
        let watched = margins::watch(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        assert_eq!(rig.net.monitor().unwrap().sessions(), 3);
        noise.abort();
        watched.tell("noise from strangers");
        drop(watched);
        nothing_left(&rig, "noise").await;
    });
}
