//! The PD edge against a real pd-server, with our TiKV servers as its stores. `tests/run` sets ISOCHRON_PD_SERVER.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

use plane_actor::{
    edge::{
        pd::PdConnector,
        proto::pdpb::{RequestHeader, UpdateServiceGcSafePointRequest, pd_client::PdClient},
        tikv::{StatusAddresses, TikvConnector},
    },
    ports::{Pd, PdConnect, PdEndpoint, PortError, TikvConnect},
};
use shared::{
    evidence::StoreState,
    ids::{ClusterId, StoreId},
    reason::Reason,
    time::Millis,
    ts::Ts,
};
use std::{future::Future, net::Ipv4Addr, sync::Arc, time::Duration};
use tests::servers::{
    pd::Pd as PdServer,
    tikv::{StoreSpec, TikvCluster},
};
use tokio::time::{Instant, sleep};

const TTL: Millis = Millis::secs(15);

fn specs(net: u8) -> Vec<StoreSpec> {
    (1..=3).map(|host| StoreSpec::new(Ipv4Addr::new(127, 12, net, host))).collect()
}

async fn connect(server: &PdServer, book: &StatusAddresses) -> Arc<dyn Pd> {
    let endpoint = PdEndpoint { urls: server.urls(), tls: None };
    PdConnector::new(book.clone()).connect(&endpoint).await.unwrap()
}

/// Asks until the answer fits, for as long as PD may take to learn a thing by heartbeats.
async fn until<T, F: Future<Output = T>>(what: &str, ask: impl Fn() -> F, fits: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let answer = ask().await;
        if fits(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "PD never said {what}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// A body of PD's HTTP API, read without the edge.
async fn raw(server: &PdServer, path: &str) -> serde_json::Value {
    use plane_actor::edge::rest::Rest;
    let url = format!("{}/pd/api/v1{path}", server.url());
    let rest = Rest::new(None).unwrap();
    let answer = rest.send(hyper::Method::GET, &url, String::new(), Duration::from_secs(5)).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// As `pd-ctl scheduler pause` does it. False: PD has no such scheduler yet.
async fn pause_by_hand(server: &PdServer, name: &str, seconds: u64) -> bool {
    use plane_actor::edge::rest::Rest;
    let url = format!("{}/pd/api/v1/schedulers/{name}", server.url());
    let body = format!("{{\"delay\":{seconds}}}");
    let answer = Rest::new(None).unwrap().send(hyper::Method::POST, &url, body, Duration::from_secs(5)).await.unwrap();
    answer.status.is_success()
}

async fn paused(server: &PdServer) -> Vec<String> {
    serde_json::from_value::<Option<_>>(raw(server, "/schedulers?status=paused").await).unwrap().unwrap_or_default()
}

#[tokio::test]
async fn what_pd_says_of_itself_and_its_stores() {
    let server = PdServer::start().await.unwrap();
    let cluster = TikvCluster::start(&server.url(), &specs(1)).await.unwrap();
    let book = StatusAddresses::default();
    let pd = connect(&server, &book).await;

    let itself = pd.cluster().await.unwrap();
    assert_eq!(itself.version, "7.5.1");
    assert!(itself.id.0 > 1 << 53 && !itself.recovering && itself.min_resolved_ts_enabled, "{itself:?}");
    assert_eq!(raw(&server, "/cluster").await["id"].as_u64(), Some(itself.id.0), "an id that no float holds");

    let stores = until(
        "Up of all stores",
        async || pd.stores().await.unwrap(),
        |stores| stores.len() == 3 && stores.iter().all(|store| store.state == StoreState::Up),
    )
    .await;
    assert_eq!(stores.iter().map(|store| store.store).collect::<Vec<_>>(), cluster.stores());
    assert!(stores.iter().all(|s| s.heartbeat_age < Millis::secs(20) && s.uptime < Millis::secs(120)));
    assert!(stores.iter().all(|s| s.address == cluster.address(s.store) && s.version == "7.5.1"));

    let regions = pd.regions(b"").await.unwrap();
    let expected = cluster.regions();
    assert_eq!(regions.len(), expected.len());
    assert!(
        regions.iter().zip(&expected).all(|(told, is)| told.region.0 == is.id && told.leader == is.leader.map(StoreId))
    );
    assert_eq!(pd.regions(&expected[4].start).await.unwrap().len(), 2);

    let (before, after) = (pd.now().await.unwrap(), pd.now().await.unwrap());
    assert!(before < after);
    let least = until("a minimum", async || pd.min_resolved_ts().await.unwrap(), |ts| ts.is_real()).await;
    assert!(least < after || least.age(pd.now().await.unwrap()) < Millis::secs(60));

    // PD's list of stores is where the status port is learnt.
    let tikv = TikvConnector::new(book).connect(&stores[0].address, None).await.unwrap();
    assert!(tikv.settings().await.unwrap().raft_kv);

    let restarted = cluster.stores()[0];
    cluster.kill(restarted);
    cluster.revive(restarted).unwrap();
    let was = stores[0].start_timestamp;
    until("the new start timestamp", async || pd.stores().await.unwrap(), |s| s[0].start_timestamp > was).await;
}

#[tokio::test]
async fn a_silent_store_is_disconnected() {
    let server = PdServer::start().await.unwrap();
    let cluster = TikvCluster::start(&server.url(), &specs(2)).await.unwrap();
    let pd = connect(&server, &StatusAddresses::default()).await;
    let silent = cluster.stores()[1];
    cluster.turn(silent, |knobs| knobs.heartbeats = false);
    let stores = until(
        "Disconnected",
        async || pd.stores().await.unwrap(),
        |stores| stores.iter().any(|store| store.state == StoreState::Disconnected),
    )
    .await;
    let gone: Vec<_> = stores.iter().filter(|s| s.state == StoreState::Disconnected).map(|s| s.store).collect();
    assert_eq!(gone, [silent]);
    assert!(stores[1].heartbeat_age > Millis::secs(20));
}

/// TiDB's own GC worker moves on: only its entry may last for ever, so it is set without the edge.
async fn gc_worker_at(server: &PdServer, cluster: ClusterId, at: Ts) {
    let mut leader = PdClient::connect(server.url()).await.unwrap();
    let request = UpdateServiceGcSafePointRequest {
        header: Some(RequestHeader { cluster_id: cluster.0 }),
        service_id: b"gc_worker".to_vec(),
        ttl: i64::MAX,
        safe_point: at.0,
    };
    leader.update_service_gc_safe_point(request).await.unwrap();
}

async fn services(server: &PdServer) -> Vec<(String, u64)> {
    let body = raw(server, "/gc/safepoint").await;
    let rows = body["service_gc_safe_points"].as_array().cloned().unwrap_or_default();
    let row =
        |row: &serde_json::Value| (row["service_id"].as_str().unwrap().to_owned(), row["safe_point"].as_u64().unwrap());
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn gc_holds_are_accepted_refused_and_dropped() {
    let server = PdServer::start().await.unwrap();
    let _cluster = TikvCluster::start(&server.url(), &specs(3)).await.unwrap();
    let pd = connect(&server, &StatusAddresses::default()).await;
    let id = pd.cluster().await.unwrap().id;
    // An odd number above 2^53: a float on the way would show.
    let worker = Ts((pd.now().await.unwrap().0 - (600_000 << 18)) | 1);
    gc_worker_at(&server, id, worker).await;
    assert_eq!(pd.min_service_safe_point().await.unwrap(), worker);

    assert_eq!(pd.hold_gc("isochron-7", Millis::secs(60), worker).await.unwrap(), worker);
    let held = services(&server).await;
    assert!(held.contains(&("isochron-7".to_owned(), worker.0)), "{held:?}");
    // GC wants to go on, and the hold is now what keeps it.
    let later = Ts(worker.0 + (60_000 << 18));
    gc_worker_at(&server, id, later).await;
    assert_eq!(pd.min_service_safe_point().await.unwrap(), worker);
    assert_eq!(pd.gc_safe_point().await.unwrap(), Ts::ZERO);

    // A refusal looks like success, but for the minimum.
    let early = Ts(worker.0 - 1);
    assert_eq!(pd.hold_gc("isochron-8", Millis::secs(60), early).await.unwrap(), worker);
    assert!(services(&server).await.iter().all(|(service, _)| service != "isochron-8"));

    pd.drop_gc_hold("isochron-7").await.unwrap();
    pd.drop_gc_hold("isochron-7").await.unwrap();
    assert_eq!(services(&server).await, [("gc_worker".to_owned(), later.0)]);
}

#[tokio::test]
async fn schedulers_are_paused_renewed_and_resumed() {
    let server = PdServer::start().await.unwrap();
    let _cluster = TikvCluster::start(&server.url(), &specs(4)).await.unwrap();
    let pd = connect(&server, &StatusAddresses::default()).await;
    // PD starts its schedulers once it has heard of its regions; each renewal finds those that have appeared.
    let mut pause = pd.pause_schedulers(TTL, None).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while pause.schedulers.len() < 3 {
        assert!(Instant::now() < deadline, "PD never started its schedulers: {pause:?}");
        sleep(Duration::from_millis(500)).await;
        pause = pd.pause_schedulers(TTL, Some(&pause)).await.unwrap();
    }
    let listed = paused(&server).await;
    assert!(pause.schedulers.iter().all(|name| listed.contains(name)), "{pause:?} {listed:?}");
    assert!(pause.originals.len() >= 8, "{pause:?}");
    assert_eq!(pause.originals["schedule.leader-schedule-limit"], 4);

    let again = pd.pause_schedulers(TTL, Some(&pause)).await.unwrap();
    assert_eq!(again, pause, "a renewal keeps the originals");

    pd.resume_schedulers(&pause).await.unwrap();
    assert!(paused(&server).await.is_empty());
    pd.resume_schedulers(&pause).await.unwrap();
}

/// Somebody has paused one for five minutes; another for a shorter time than a hold of ours.
#[tokio::test]
async fn what_somebody_else_has_paused_is_left_to_him() {
    let server = PdServer::start().await.unwrap();
    let _cluster = TikvCluster::start(&server.url(), &specs(6)).await.unwrap();
    let pd = connect(&server, &StatusAddresses::default()).await;
    let (his, brief) = ("balance-leader-scheduler", "balance-region-scheduler");
    let deadline = Instant::now() + Duration::from_secs(40);
    while !pause_by_hand(&server, his, 300).await || !pause_by_hand(&server, brief, 5).await {
        assert!(Instant::now() < deadline, "PD never started its schedulers");
        sleep(Duration::from_millis(500)).await;
    }
    let pause = pd.pause_schedulers(TTL, None).await.unwrap();
    assert!(pause.schedulers.iter().all(|name| name != his), "{pause:?}");
    assert!(pause.schedulers.iter().any(|name| name == brief), "{pause:?}");
    let pause = pd.pause_schedulers(TTL, Some(&pause)).await.unwrap();
    // He takes over a second one while we hold it.
    assert!(pause_by_hand(&server, brief, 300).await);
    let pause = pd.pause_schedulers(TTL, Some(&pause)).await.unwrap();
    pd.resume_schedulers(&pause).await.unwrap();
    let mut left = paused(&server).await;
    left.sort();
    assert_eq!(left, [his, brief]);
}

#[tokio::test]
async fn the_leader_is_found_again_when_it_moves() {
    let server = PdServer::start_members(3).await.unwrap();
    let _cluster = TikvCluster::start(&server.urls().join(","), &specs(5)).await.unwrap();
    let pd = connect(&server, &StatusAddresses::default()).await;
    let before = pd.now().await.unwrap();
    let pause = pd.pause_schedulers(TTL, None).await.unwrap();
    server.change_leader().await.unwrap();
    assert!(pd.now().await.unwrap() > before, "time went back");
    assert_eq!(pd.stores().await.unwrap().len(), 3);
    // The new leader has forgotten the pauses, and perhaps not started its schedulers: renewing never fails for that.
    let renewed = pd.pause_schedulers(TTL, Some(&pause)).await.unwrap();
    assert_eq!(renewed.originals, pause.originals);
    pd.resume_schedulers(&renewed).await.unwrap();
}

#[tokio::test]
async fn no_pd_is_a_refusal_that_names_every_address() {
    let endpoint = PdEndpoint { urls: vec!["http://127.12.9.9:9".to_owned()], tls: None };
    match PdConnector::new(StatusAddresses::default()).connect(&endpoint).await.err() {
        Some(PortError::Refused(refusal)) => {
            assert_eq!(refusal.reason, Reason::PdUnavailable);
            assert!(refusal.message.contains("127.12.9.9"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}
