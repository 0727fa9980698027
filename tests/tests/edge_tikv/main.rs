//! The TiKV edge over loopback, against a server that keeps TiKV's rules (`facts/pd-tikv.md` §2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

mod imports;

use plane_actor::{
    edge::tikv::{StatusAddresses, TikvConnector},
    ports::{Applied, Hold, HoldError, PortError, RegionAt, Tikv, TikvConnect},
};
use shared::{
    ids::{ClusterId, RegionId, StoreId},
    reason::Reason,
    tiling::Tiling,
    time::Millis,
    ts::Ts,
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tests::{
    listed::{Listed, listed},
    servers::tikv::{Mode, StoreSpec, TikvCluster},
};
use tokio::time::{Instant, sleep, timeout};

const LEASE: Millis = Millis::secs(10);
const PROBE: Millis = Millis(0);

struct World {
    cluster: TikvCluster,
    connector: TikvConnector,
}

impl World {
    /// Three stores; every test has a network of its own.
    fn start(net: u8) -> Self {
        let specs: Vec<_> = (1..=3).map(|host| StoreSpec::new(Ipv4Addr::new(127, 11, net, host))).collect();
        let cluster = TikvCluster::start_alone(&specs).unwrap();
        let book = StatusAddresses::default();
        let status = |store: &StoreId| {
            let port = cluster.status_address(*store).rsplit_once(':').unwrap().1.to_owned();
            (cluster.address(*store), format!("0.0.0.0:{port}"))
        };
        book.note(ClusterId(1), cluster.stores().iter().map(status).collect());
        Self { cluster, connector: TikvConnector::new(book) }
    }

    fn store(&self, index: usize) -> StoreId {
        self.cluster.stores()[index]
    }

    async fn tikv(&self, index: usize) -> Arc<dyn Tikv> {
        self.connector.connect(&self.cluster.address(self.store(index)), None).await.unwrap()
    }

    /// A hold with a live lease.
    async fn held(&self, index: usize) -> Arc<dyn Hold> {
        let hold = self.tikv(index).await.open_hold().await.unwrap();
        assert_eq!(hold.lease(PROBE).await, Ok(false));
        assert_eq!(hold.lease(LEASE).await, Ok(false));
        hold
    }

    /// What the store leads, as WaitApply takes it.
    async fn led(&self, index: usize) -> Vec<RegionAt> {
        self.listed(index).await.into_iter().map(|led| led.at).collect()
    }

    async fn listed(&self, index: usize) -> Vec<Listed> {
        listed(self.tikv(index).await.as_ref()).await.unwrap()
    }
}

fn again(said: &Applied, region: RegionId) -> String {
    said.again.get(&region).unwrap_or_else(|| panic!("region {region} is not to be asked again: {said:?}")).to_string()
}

/// All of them were applied.
fn all(done: usize) -> Applied {
    Applied { done, ..Applied::default() }
}

#[tokio::test]
async fn a_lease_is_taken_renewed_and_finished() {
    let world = World::start(1);
    let hold = world.held(0).await;
    assert!(world.cluster.leased(world.store(0)));
    assert_eq!(hold.lease(LEASE).await, Ok(true));
    assert_eq!(hold.finish().await, Ok(true));
    assert!(!world.cluster.leased(world.store(0)));
    assert!(matches!(hold.lease(LEASE).await, Err(HoldError::Broken(_))), "the stream is over");
    let seen = world.cluster.counters(world.store(0));
    assert_eq!((seen.streams, seen.probes, seen.leases, seen.finishes), (1, 1, 2, 1));
    assert_eq!(world.cluster.counters(world.store(1)), Default::default(), "another store was touched");
}

#[tokio::test]
async fn reading_opens_no_prepare_stream() {
    let world = World::start(2);
    let tikv = world.tikv(0).await;
    tikv.settings().await.unwrap();
    let led = listed(tikv.as_ref()).await.unwrap();
    tikv.safe_ts(led[0].at.region).await.unwrap();
    assert_eq!(world.cluster.counters(world.store(0)), Default::default());
}

#[tokio::test]
async fn a_newer_stream_takes_over_and_the_lease_survives() {
    let world = World::start(3);
    let older = world.held(0).await;
    let newer = world.tikv(0).await.open_hold().await.unwrap();
    assert_eq!(newer.lease(PROBE).await, Ok(true), "somebody holds the store");
    assert_eq!(older.lease(LEASE).await, Err(HoldError::TakenOver));
    drop((older, newer));
    assert!(world.cluster.leased(world.store(0)), "a lease is the store's, not the stream's");
}

#[tokio::test]
async fn an_expired_lease_is_seen_by_renewal_and_by_wait_apply() {
    let world = World::start(4);
    let hold = world.held(0).await;
    world.cluster.expire_lease(world.store(0));
    assert_eq!(hold.lease(LEASE).await, Ok(false), "a gap is an answer, not an error");
    world.cluster.expire_lease(world.store(0));
    let led = world.led(0).await;
    assert_eq!(hold.wait_apply(led).await, Err(HoldError::Expired));
    assert_eq!(hold.lease(LEASE).await, Err(HoldError::Expired), "the end of a stream is remembered");
}

#[tokio::test]
async fn a_renewal_without_an_answer_is_none() {
    let world = World::start(5);
    let hold = world.held(0).await;
    let store = world.store(0);
    world.cluster.turn(store, |knobs| knobs.mute_renewals = true);
    let asked = Instant::now();
    assert!(matches!(hold.lease(Millis::secs(4)).await, Err(HoldError::Broken(_))));
    assert!(asked.elapsed() >= Duration::from_secs(2) && asked.elapsed() < Duration::from_secs(4), "half the lease");
    assert!(world.cluster.leased(store), "it was sent, and obeyed");
}

#[tokio::test]
async fn no_later_answer_mends_a_renewal_that_was_late() {
    let world = World::start(16);
    let hold = world.held(0).await;
    let store = world.store(0);
    world.cluster.turn(store, |knobs| knobs.renewal_delay = Duration::from_millis(1500));
    assert!(matches!(hold.lease(Millis::secs(2)).await, Err(HoldError::Broken(_))));
    world.cluster.turn(store, |knobs| knobs.renewal_delay = Duration::ZERO);
    sleep(Duration::from_secs(1)).await;
    assert!(matches!(hold.lease(LEASE).await, Err(HoldError::Broken(_))));
    assert_eq!(world.cluster.counters(store).leases, 2, "a broken hold renews nothing");
    assert_eq!(hold.finish().await, Ok(true), "it can still be let go, and its answer is its own");
}

#[tokio::test]
async fn after_an_unanswered_renewal_the_store_can_still_be_let_go() {
    let world = World::start(6);
    let hold = world.held(0).await;
    let store = world.store(0);
    world.cluster.turn(store, |knobs| knobs.mute_renewals = true);
    assert!(hold.lease(Millis::secs(1)).await.is_err());
    // Finish's own reply is what comes next on the stream; it must not be paired with the renewal.
    timeout(Duration::from_secs(6), hold.finish()).await.unwrap().unwrap_err();
    assert!(!world.cluster.leased(store));
}

#[tokio::test]
async fn a_killed_store_breaks_the_stream_and_forgets_the_lease() {
    let world = World::start(7);
    let hold = world.held(0).await;
    let store = world.store(0);
    world.cluster.kill(store);
    assert!(matches!(hold.lease(LEASE).await, Err(HoldError::Broken(_))));
    let refused = world.connector.connect(&world.cluster.address(store), None).await;
    assert!(matches!(refused.err(), Some(PortError::Unavailable(_))));
    world.cluster.revive(store).unwrap();
    let hold = world.tikv(0).await.open_hold().await.unwrap();
    assert_eq!(hold.lease(LEASE).await, Ok(false));
}

#[tokio::test]
async fn stores_that_cannot_be_held_say_so_at_the_probe() {
    let world = World::start(8);
    let probe = async |mode| {
        world.cluster.turn(world.store(0), |knobs| knobs.mode = mode);
        let hold = world.tikv(0).await.open_hold().await.unwrap();
        (hold.lease(PROBE).await, hold.lease(PROBE).await)
    };
    let old = probe(Mode::Old).await;
    assert_eq!(old, (Err(HoldError::Unimplemented), Err(HoldError::Unimplemented)));
    for mode in [Mode::V2, Mode::Starting] {
        assert!(matches!(probe(mode).await, (Err(HoldError::NotReady(_)), Err(HoldError::NotReady(_)))));
    }
    world.cluster.turn(world.store(0), |knobs| knobs.mode = Mode::V2);
    match listed(world.tikv(0).await.as_ref()).await {
        Err(PortError::Refused(refusal)) => assert_eq!(refusal.reason, Reason::EngineUnsupported),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn wait_apply_waits_for_the_slow_while_renewals_go_on() {
    let world = World::start(9);
    let hold = world.held(0).await;
    let led = world.led(0).await;
    assert_eq!(led.len(), 2);
    let slow = led[0].region;
    world.cluster.propose(slow.0);
    let waiting = {
        let (hold, led) = (Arc::clone(&hold), led.clone());
        tokio::spawn(async move { hold.wait_apply(led).await })
    };
    sleep(Duration::from_millis(300)).await;
    assert_eq!(hold.lease(LEASE).await, Ok(true));
    assert!(!waiting.is_finished(), "the slow region was not waited for");
    world.cluster.apply(slow.0, Some(world.store(1)));
    sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "a follower's apply is not the leader's");
    world.cluster.apply(slow.0, None);
    let said = timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(said, all(2));
}

#[tokio::test]
async fn wait_apply_says_which_regions_to_look_at_again() {
    let world = World::start(10);
    let hold = world.held(0).await;
    let mut asked = world.led(0).await;
    let (moved, slow) = (asked[0].region, asked[1].region);
    asked[0].version += 1;
    asked.push(RegionAt { region: RegionId(999_999), ..asked[1] });
    world.cluster.propose(slow.0);
    world.cluster.elect(slow.0, Some(world.store(1)));
    let waiting = tokio::spawn({
        let (hold, asked) = (Arc::clone(&hold), asked.clone());
        async move { hold.wait_apply(asked).await }
    });
    sleep(Duration::from_millis(200)).await;
    // The term it waits under is the present one: another election makes it stale, and the next apply tells.
    world.cluster.elect(slow.0, Some(world.store(0)));
    world.cluster.apply(slow.0, None);
    let results = waiting.await.unwrap().unwrap();
    assert!(again(&results, moved).starts_with("epoch_not_match"));
    assert!(again(&results, RegionId(999_999)).starts_with("region_not_found"));
    assert!(again(&results, slow).starts_with("stale_command"));
    assert_eq!(hold.lease(LEASE).await, Ok(true), "region errors leave the stream alone");
}

#[tokio::test]
async fn a_wait_left_by_a_dead_stream_is_a_duplicate() {
    let world = World::start(11);
    let led = world.led(0).await;
    world.cluster.propose(led[0].region.0);
    let dead = world.held(0).await;
    // Given up by its asker: the store goes on waiting.
    assert!(timeout(Duration::from_millis(300), dead.wait_apply(vec![led[0]])).await.is_err());
    assert!(again(&dead.wait_apply(vec![led[0]]).await.unwrap(), led[0].region).contains("has not been answered"));
    drop(dead);
    let hold = world.tikv(0).await.open_hold().await.unwrap();
    assert_eq!(hold.lease(LEASE).await, Ok(true));
    assert!(again(&hold.wait_apply(vec![led[0]]).await.unwrap(), led[0].region).contains("Duplicated"));
    world.cluster.apply(led[0].region.0, None);
    assert_eq!(hold.wait_apply(vec![led[0]]).await.unwrap(), all(1));
    assert_eq!(hold.wait_apply(Vec::new()).await.unwrap(), all(0), "TiKV never answers an empty list");
}

async fn all_led(world: &World) -> Vec<Listed> {
    let mut all = Vec::new();
    for index in 0..3 {
        all.extend(world.listed(index).await);
    }
    all
}

fn tiling(led: &[Listed]) -> Tiling {
    led.iter().map(|region| Tiling::of_region(&region.start, &region.end).unwrap()).sum()
}

#[tokio::test]
async fn leaders_alone_report_and_tile_the_key_space() {
    let world = World::start(12);
    let led = all_led(&world).await;
    assert_eq!(led.len(), 6);
    assert!(tiling(&led).is_whole());
    assert!(led.iter().all(|region| !region.pending));

    world.cluster.set_pending_admin(led[0].at.region.0, true);
    world.cluster.split(led[1].at.region.0, b"t0003x").await.unwrap();
    let split = all_led(&world).await;
    assert!(tiling(&split).is_whole() && split.len() == 7);
    let pending: Vec<_> = split.iter().filter(|region| region.pending).map(|region| region.at.region).collect();
    assert_eq!(pending, [led[0].at.region]);

    world.cluster.elect(led[2].at.region.0, None);
    assert!(!tiling(&all_led(&world).await).is_whole(), "a region between leaders is a hole");
}

#[tokio::test]
async fn a_lease_refuses_what_would_tear_a_backup() {
    let world = World::start(13);
    let led = world.led(0).await;
    let region = led[0].region.0;
    let hold = world.held(0).await;
    assert!(world.cluster.transfer_leader(region, world.store(1)).is_err());
    assert!(world.cluster.conf_change(region).is_err());
    assert!(world.cluster.split(region, b"t0000x").await.is_err());
    hold.finish().await.unwrap();
    assert!(world.cluster.conf_change(region).is_ok());
}

#[tokio::test]
async fn safe_ts_is_the_regions_own_word() {
    let world = World::start(14);
    let led = world.listed(0).await;
    let (region, tikv) = (led[0].at.region, world.tikv(0).await);
    let first = tikv.safe_ts(region).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    assert!(first.is_real() && tikv.safe_ts(region).await.unwrap() > first, "it follows the clock");

    let exact = Ts(449_999_999_999_999_999);
    world.cluster.set_safe_ts(region.0, Some(exact));
    assert_eq!(tikv.safe_ts(region).await.unwrap(), exact);
    let child = world.cluster.split(region.0, &[&led[0].start[..], b"x"].concat()).await.unwrap();
    assert_eq!(tikv.safe_ts(RegionId(child)).await.unwrap(), Ts::ZERO, "a fresh child is not initialised");
    assert_eq!(tikv.safe_ts(RegionId(999_999)).await.unwrap(), Ts::ZERO);

    world.cluster.turn(world.store(0), |knobs| knobs.safe_ts_error = Some("resolver stopped".to_owned()));
    match tikv.safe_ts(region).await {
        Err(PortError::Unavailable(text)) => assert!(text.contains("resolver stopped"), "{text}"),
        other => panic!("an error in the answer was passed over: {other:?}"),
    }
}

#[tokio::test]
async fn settings_come_from_the_status_port_of_every_version() {
    let world = World::start(15);
    let store = world.store(0);
    let tikv = world.tikv(0).await;
    for version in ["6.5.9", "7.5.1", "7.6.0", "8.5.0"] {
        world.cluster.turn(store, |knobs| knobs.version = version.to_owned());
        let settings = tikv.settings().await.unwrap();
        assert!(settings.resolved_ts_enabled && settings.report_enabled && settings.raft_kv, "{version}: {settings:?}");
        world.cluster.turn(store, |knobs| knobs.report_interval = "0s".to_owned());
        assert!(!tikv.settings().await.unwrap().report_enabled, "{version}");
        world.cluster.turn(store, |knobs| knobs.report_interval = "1s".to_owned());
    }
    let directories = tikv.settings().await.unwrap().directories;
    assert_eq!(directories["storage.data-dir"], "/var/lib/tikv");
    assert_eq!(directories["raft-engine.dir"], "/var/lib/tikv/raft-engine");
    world.cluster.turn(store, |knobs| knobs.raft_dir = Some("/nvme/raft".to_owned()));
    assert_eq!(tikv.settings().await.unwrap().directories["raft-engine.dir"], "/nvme/raft");
    world.cluster.turn(store, |knobs| {
        knobs.mode = Mode::V2;
        knobs.resolved_ts_enable = false;
    });
    let settings = tikv.settings().await.unwrap();
    assert!(!settings.raft_kv && !settings.resolved_ts_enabled);
    world.cluster.kill(store);
    assert!(matches!(tikv.settings().await, Err(PortError::Unavailable(_))));
}
