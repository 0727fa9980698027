//! Cuts, both ways and one way only, shorter and longer than the idle limit and the plane's own lease (15 s each).

use crate::{HOLDS_END, LIMIT, PLANES, at, holds_gone, judge, nothing_left, slow, story};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::barrier::Milestone;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    quic_net::{COORDINATOR_HOST, QuicNet},
    rig::Rig,
};
use tokio::time::{Instant, sleep};

/// In a one-way cut the coordinator may hear the plane until that gives up its link, and only then counts its own idle
/// limit and the plane's lease: three times 15 s, then a few seconds for the abort.
const ALL_GONE: Duration = Duration::from_secs(15 + 15 + 15 + 3);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Both,
    /// The plane is not heard.
    Up,
    /// The plane hears nothing.
    Down,
}

fn cut(net: &QuicNet, plane: &str, cut: Cut) {
    if cut != Cut::Down {
        net.wire.cut(plane, COORDINATOR_HOST);
    }
    if cut != Cut::Up {
        net.wire.cut(COORDINATOR_HOST, plane);
    }
}

/// Stores of a plane that are held.
fn held_in(rig: &Rig<QuicNet>, plane: &str) -> Vec<String> {
    let own: Vec<_> = rig.world.stores().into_iter().filter(|(_, of)| of == plane).map(|(store, _)| store).collect();
    let names = rig.world.left_over().names;
    own.iter().map(|store| format!("lease of store {store}")).filter(|lease| names.contains(lease)).collect()
}

/// The plane that is cut off lets go by itself within its own bound, and everybody else within theirs.
async fn let_go_while_cut(rig: &Rig<QuicNet>, plane: &str, what: &str) {
    let begun = Instant::now();
    while !held_in(rig, plane).is_empty() {
        sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < HOLDS_END, "{what}: {plane} holds after {HOLDS_END:?}: {:?}", held_in(rig, plane));
    }
    holds_gone(rig, ALL_GONE - begun.elapsed(), what).await;
}

#[test]
fn a_cut_shorter_than_the_idle_limit_is_survived() {
    for (seed, how) in [(1, Cut::Both), (2, Cut::Up), (3, Cut::Down)] {
        story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            at(&rig, Milestone::Snapshotting).await;
            cut(&rig.net, "az2", how);
            sleep(Duration::from_secs(6)).await;
            rig.net.heal("az2");
            assert_eq!(rig.ended(LIMIT).await, "Complete", "{how:?}: {:?}", rig.failure());
            assert_eq!(rig.lies(), Vec::<String>::new(), "{how:?}");
            nothing_left(&rig, &format!("{how:?}")).await;
        });
    }
}

#[test]
fn a_cut_longer_than_every_lease_ends_the_attempt_and_every_hold() {
    for (seed, how) in [(4, Cut::Both), (5, Cut::Up), (6, Cut::Down)] {
        story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            at(&rig, Milestone::Snapshotting).await;
            cut(&rig.net, "az2", how);
            let_go_while_cut(&rig, "az2", &format!("{how:?}")).await;
            assert_eq!(rig.ended(LIMIT).await, "Failed", "{how:?}");
            let (reason, message) = rig.failure();
            assert!(
                matches!(reason.as_str(), "PlaneLost" | "HoldTimedOut" | "PlaneLeaseExpired"),
                "{how:?}: {reason}: {message}"
            );
            rig.net.heal("az2");
            nothing_left(&rig, &format!("{how:?}")).await;
        });
    }
}

/// The link dies under the hold while the plane's own lease lives: on the next link the order is repeated, and obeyed
/// once.
#[test]
fn an_order_repeated_on_a_new_link_is_obeyed_once() {
    story(slow(7), async |rig: Rc<Rig<QuicNet>>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        let before = rig.net.monitor().unwrap().sessions();
        cut(&rig.net, "az2", Cut::Up);
        while rig.net.monitor().unwrap().sessions() == before {
            sleep(Duration::from_millis(100)).await;
        }
        rig.net.heal("az2");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        assert_eq!(rig.world.mutations().ec2_creates, 3, "one call for each instance");
        assert_eq!(rig.record().unwrap().attempt, 1);
        nothing_left(&rig, "repeated order").await;
    });
}

/// Any plane, cut in any way, at any moment, for any time.
#[test]
fn a_cut_at_any_moment_ends_legally() {
    let mut outcomes = BTreeMap::<_, u32>::new();
    for seed in 100..160_u64 {
        let mut random = SmallRng::seed_from_u64(seed);
        let plane = PLANES[random.random_range(0..PLANES.len())];
        let how = [Cut::Both, Cut::Up, Cut::Down][random.random_range(0..3)];
        let moment = Duration::from_millis(random.random_range(50..11_000));
        let length = Duration::from_secs([1, 5, 12, 15, 16, 18, 22, 32, 60][random.random_range(0..9)]);
        let what = format!("seed {seed}: {plane} cut {how:?} after {moment:?} for {length:?}");
        let phase = story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            sleep(moment).await;
            cut(&rig.net, plane, how);
            let healed = Instant::now() + length;
            if length > ALL_GONE {
                let_go_while_cut(&rig, plane, &what).await;
            }
            tokio::time::sleep_until(healed).await;
            rig.net.heal(plane);
            judge(&rig, &what).await
        });
        *outcomes.entry((phase, length < HOLDS_END)).or_default() += 1;
    }
    assert!(outcomes.len() >= 3, "one-sided: {outcomes:?}");
}
