use super::super::testing::{server, wall};
use super::*;
use api_server::{ApiServer, Fault};
use http::Method;
use serde_json::json;
use tokio::time::sleep;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/isochron/leases/isochron";

fn start(client: &Client, identity: &str) -> Leader {
    Leader::start(client.clone(), LeaderConfig::new("isochron", "isochron", identity, wall()))
}

async fn settle(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

fn leads(leader: &Leader) -> bool {
    *leader.is_leading.borrow()
}

fn holder(api: &ApiServer) -> String {
    api.get(PATH).unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_waits_until_it_is_let_go() {
    let (api, client) = server();
    let a = start(&client, "a");
    settle(1).await;
    let b = start(&client, "b");
    settle(60).await;
    assert!(leads(&a) && !leads(&b));
    a.resign().await;
    assert_eq!(holder(&api), "");
    settle(3).await;
    assert!(leads(&b));
    assert_eq!(holder(&api), "b");
    assert_eq!(api.get(PATH).unwrap()["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_followed_after_its_lease_and_not_before() {
    let (api, client) = server();
    let a = start(&client, "a");
    settle(1).await;
    assert!(leads(&a));
    let b = start(&client, "b");
    settle(1).await;
    let told = a.is_leading.clone();
    drop(a);
    settle(13).await;
    assert!(!*told.borrow());
    assert!(!leads(&b));
    settle(6).await;
    assert!(leads(&b));
    assert_eq!(holder(&api), "b");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_stops_leading_before_another_begins() {
    let (api, client) = server();
    // The deadline falls between two tries.
    let retry = Duration::from_secs(3);
    let config = LeaderConfig { retry, ..LeaderConfig::new("isochron", "isochron", "a", wall()) };
    let mut a = Leader::start(client.clone(), config);
    settle(1).await;
    assert!(leads(&a));
    for _ in 0..100 {
        api.fail(Method::PUT, Fault::Refuse(500));
    }
    let lost = tokio::time::Instant::now();
    a.is_leading.wait_for(|leads| !leads).await.unwrap();
    assert!(!leads(&a));
    assert!(lost.elapsed() <= Duration::from_secs(10), "{:?}", lost.elapsed());
    assert!(lost.elapsed() >= Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_answer_stops_leading_in_time() {
    let (api, client) = server();
    let mut a = start(&client, "a");
    settle(1).await;
    for _ in 0..100 {
        api.fail(Method::GET, Fault::Mute);
    }
    let lost = tokio::time::Instant::now();
    a.is_leading.wait_for(|leads| !leads).await.unwrap();
    assert!(lost.elapsed() <= Duration::from_secs(10), "{:?}", lost.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_taken_by_another_ends_leading_at_the_next_look() {
    let (api, client) = server();
    let mut a = start(&client, "a");
    settle(1).await;
    let mut taken = api.get(PATH).unwrap();
    taken["spec"]["holderIdentity"] = json!("b");
    api.put(PATH, taken);
    let lost = tokio::time::Instant::now();
    a.is_leading.wait_for(|leads| !leads).await.unwrap();
    assert!(!leads(&a));
    assert!(lost.elapsed() <= Duration::from_secs(2));
    assert_eq!(holder(&api), "b");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_does_not_end_leading() {
    let (api, client) = server();
    let a = start(&client, "a");
    settle(1).await;
    api.fail(Method::PUT, Fault::Mute);
    settle(30).await;
    assert!(leads(&a));
}
