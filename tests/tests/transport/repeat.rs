//! The same seed twice: every datagram, its length, its moment and its fate, the world's whole history, the record.
//! Bytes are not compared: keys are drawn by the TLS stack from the operating system, and no seed reaches them.

use crate::{LIMIT, slow, story};
use std::{rc::Rc, time::Duration};
use tests::{
    quic_net::{QuicNet, Seen, Weather},
    rig::Rig,
};
use tokio::time::sleep;

fn trace(seed: u64) -> (Vec<Seen>, u64, String) {
    story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
        rig.net.wire.weather(Weather { loss: 50, duplicate: 50, late: 50, mangle: 50, ..Weather::CALM });
        sleep(Duration::from_secs(2)).await;
        rig.control.apply(&rig.manifest("")).unwrap();
        sleep(Duration::from_millis(4_000)).await;
        rig.net.cut("az1");
        sleep(Duration::from_secs(3)).await;
        rig.net.heal("az1");
        let phase = rig.ended(LIMIT).await;
        (rig.net.wire.seen(), rig.world.history_hash(), phase)
    })
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..=4 {
        let (first, second) = (trace(seed), trace(seed));
        let split = first.0.iter().zip(&second.0).position(|(one, other)| one != other);
        assert_eq!(split.map(|at| (&first.0[at], &second.0[at])), None, "seed {seed}: at datagram {split:?}");
        assert_eq!((first.0.len(), first.1, &first.2), (second.0.len(), second.1, &second.2), "seed {seed}");
        assert!(first.0.len() > 200, "{}", first.0.len());
    }
    assert_ne!(trace(1).1, trace(2).1);
}
