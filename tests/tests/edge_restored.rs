//! A restore's edge to TiKV against servers that are started on images of a cluster (`facts/restore.md` §3.3 to §3.7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

use plane_actor::{
    edge::tikv::RecoveryConnector,
    ports::{Asked, Flashback, FlashedBack, Leading, Recovery, RecoveryConnect},
};
use shared::{
    ids::{ClusterId, StoreId},
    recovery::{Elected, Meta, plan},
    ts::Ts,
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tests::{
    models::restored::Pod,
    servers::tikv::{Half, Images, Pace, RestoredTikv, StoreSpec, TikvCluster, Version},
};

const OLD: ClusterId = ClusterId(7_001);
const NEW: ClusterId = ClusterId(7_002);
/// The backup's moment.
const THEN: Ts = Ts(100);
const LEAD: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(20);

fn version(commit_ts: u64, value: i64) -> Version {
    Version { start_ts: Ts(commit_ts - 1), commit_ts: Ts(commit_ts), value }
}

fn pod(number: u8) -> Pod {
    ("az1".to_owned(), format!("back-tikv-{number}"))
}

/// A backed-up cluster's images, and the cluster that is restored of them.
struct World {
    tikv: RestoredTikv,
    addresses: BTreeMap<StoreId, String>,
    _folder: tempfile::TempDir,
}

impl World {
    /// Three stores, snapshots of all their volumes, and more writes behind these.
    async fn start(net: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::new(folder.path().to_owned());
        let specs: Vec<_> = (1..=3).map(|host| StoreSpec::new(Ipv4Addr::new(127, 21, net, host))).collect();
        let old = TikvCluster::start_alone(&specs).unwrap();
        for key in ["a", "t0001x", "t0003x", "t0005x"] {
            old.write(key.as_bytes(), version(50, 1));
            old.write(key.as_bytes(), version(150, 2));
        }
        old.write(b"t0002new", version(120, 3));
        let volumes = old.stores().into_iter().flat_map(|store| {
            [(format!("vol-d{store}"), (store, Half::Data)), (format!("vol-r{store}"), (store, Half::Raft))]
        });
        let volumes: BTreeMap<String, (StoreId, Half)> = volumes.collect();
        let keep = old.keep_images(images.clone(), OLD, volumes.clone());
        volumes.keys().for_each(|volume| keep(volume, &volume.replace("vol", "snap")));
        old.write(b"a", version(170, 9));
        let stores = old.stores();
        drop(old);

        let snapshot_of = |volume: &str| volume.strip_prefix("new-").map(|volume| volume.replace("vol", "snap"));
        let pace = Pace {
            round: Duration::from_millis(300),
            start: Duration::from_millis(100),
            election: Duration::from_millis(500),
        };
        let tikv = RestoredTikv::start(Vec::new(), NEW, pace, images, Box::new(snapshot_of)).await.unwrap();
        let mut addresses = BTreeMap::new();
        for (number, store) in (1..).zip(stores) {
            let address = SocketAddr::from((Ipv4Addr::new(127, 22, net, number), 20_160));
            tikv.run_pod(pod(number), address, vec![format!("new-vol-d{store}"), format!("new-vol-r{store}")]);
            addresses.insert(store, address.to_string());
        }
        Self { tikv, addresses, _folder: folder }
    }

    async fn store(&self, store: StoreId) -> Arc<dyn Recovery> {
        let until = tokio::time::Instant::now() + LIMIT;
        loop {
            match RecoveryConnector.connect(&self.addresses[&store], None).await {
                Ok(recovery) => return recovery,
                Err(error) if tokio::time::Instant::now() > until => panic!("store {store}: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn all(&self) -> BTreeMap<StoreId, Arc<dyn Recovery>> {
        let mut all = BTreeMap::new();
        for store in self.addresses.keys() {
            all.insert(*store, self.store(*store).await);
        }
        all
    }

    /// By the product's own plan.
    async fn lead(&self, all: &BTreeMap<StoreId, Arc<dyn Recovery>>) {
        let mut told: BTreeMap<StoreId, Vec<Meta>> = BTreeMap::new();
        for (store, recovery) in all {
            told.insert(*store, recovery.region_metas().await.unwrap());
        }
        let plan = plan(&told, &Elected::default()).unwrap();
        assert_eq!((plan.regions.len(), plan.tiling().is_whole()), (6, true), "{plan:?}");
        let leaders = plan.leaders(all.keys().copied());
        let calls = leaders.iter().map(|(store, regions)| all[store].lead(regions, LEAD));
        for ended in futures::future::join_all(calls).await {
            assert_eq!(ended.unwrap(), Asked::Answered);
        }
    }
}

async fn led(all: &BTreeMap<StoreId, Arc<dyn Recovery>>) -> Vec<(StoreId, Leading)> {
    let mut led = Vec::new();
    for (store, recovery) in all {
        led.extend(recovery.led(*store).await.unwrap().into_iter().map(|one| (*store, one)));
    }
    led
}

#[tokio::test]
async fn a_cluster_is_restored_from_images_of_another() {
    let world = World::start(1).await;
    let all = world.all().await;
    for recovery in all.values() {
        assert!(recovery.is_recovering().await.unwrap());
    }
    world.lead(&all).await;
    let times = Flashback { version: THEN, start_ts: Ts(200), commit_ts: Ts(201) };
    let regions = led(&all).await;
    assert_eq!(regions.len(), 6);
    for (store, one) in &regions {
        let of = &all[store];
        let differs = of.checksum(&one.piece, THEN).await.unwrap() != of.checksum(&one.piece, Ts(160)).await.unwrap();
        let not_prepared = of.flashback(&one.piece, times).await.unwrap();
        assert_eq!(not_prepared == FlashedBack::NotPrepared, differs, "{one:?}");
        assert_eq!(of.prepare_flashback(&one.piece, times).await.unwrap(), FlashedBack::Done);
        assert!(of.checksum(&one.piece, THEN).await.unwrap_err().to_string().contains("flashback in progress"));
    }
    assert!(led(&all).await.iter().all(|(_, one)| one.in_flashback));
    for (store, one) in &regions {
        assert_eq!(all[store].flashback(&one.piece, times).await.unwrap(), FlashedBack::Done);
    }
    let mut keys = 0;
    for (store, one) in &regions {
        let [then, now] = [times.version, times.commit_ts].map(|at| all[store].checksum(&one.piece, at));
        let now = now.await.unwrap();
        assert_eq!(then.await.unwrap(), now, "{one:?}");
        keys += now.keys;
    }
    assert_eq!(keys, 4, "what came later is gone, and what came behind the snapshots was never there");
    let other = world.store(*world.addresses.keys().next_back().unwrap()).await;
    let (foreign, one) =
        regions.iter().find(|(store, _)| *store != *world.addresses.keys().next_back().unwrap()).unwrap();
    let moved = other.prepare_flashback(&one.piece, times).await.unwrap();
    assert!(matches!(moved, FlashedBack::Moved(_)), "led by {foreign}: {moved:?}");
}

#[tokio::test]
async fn a_process_forgets_its_leaders_and_leaves_recovery_only_by_a_start() {
    let world = World::start(2).await;
    let all = world.all().await;
    world.lead(&all).await;
    let (store, one) = led(&all).await.remove(0);
    let own = world.tikv.alter(|cluster| cluster.pod_at(&world.addresses[&store]).unwrap());
    world.tikv.restart(&own);
    let broken = all[&store].led(store).await;
    assert!(broken.is_err(), "its connections are cut: {broken:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let again = world.store(store).await;
    assert!(again.is_recovering().await.unwrap());
    assert_eq!(again.led(store).await.unwrap(), []);
    // A call has no end where nobody else votes, and the next question ends it.
    world.tikv.alter(|cluster| cluster.deaf.insert(one.piece.region));
    let regions = [one.piece.region];
    let second = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        again.region_metas().await
    };
    let (first, _) = futures::future::join(again.lead(&regions, LEAD), second).await;
    assert_eq!(first.unwrap(), Asked::Aborted);
    assert_eq!(again.lead(&regions, Duration::from_secs(1)).await.unwrap(), Asked::Cut);
    world.tikv.alter(|cluster| {
        cluster.deaf.clear();
        cluster.pd.marked = false;
    });
    assert!(again.is_recovering().await.unwrap(), "until it is started anew");
    for number in 1..=3 {
        world.tikv.restart(&pod(number));
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    for recovery in world.all().await.values() {
        assert!(!recovery.is_recovering().await.unwrap());
    }
    assert!(world.tikv.alter(|cluster| cluster.serves()));
    let faults = world.tikv.alter(|cluster| (cluster.faults.clone(), cluster.deaths.clone()));
    assert_eq!(faults, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_version_above_commit_ts_ends_the_process() {
    let world = World::start(3).await;
    let all = world.all().await;
    world.lead(&all).await;
    let low = Flashback { version: THEN, start_ts: Ts(148), commit_ts: Ts(149) };
    let mut ended = 0;
    for (store, one) in led(&all).await {
        if all[&store].prepare_flashback(&one.piece, low).await.is_ok() {
            ended += usize::from(all[&store].flashback(&one.piece, low).await.is_err());
        }
    }
    let deaths = world.tikv.alter(|cluster| cluster.deaths.clone());
    assert!(ended > 0 && !deaths.is_empty(), "{ended} {deaths:?}");
    assert!(deaths.iter().all(|died| died.newest == Ts(150) && died.commit_ts == Ts(149)), "{deaths:?}");
}
