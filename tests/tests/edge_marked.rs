//! What a restore asks of PD, by the edge and by the steps that use it, against a real pd-server (`facts/restore.md` §3.2). `tests/run` sets
//! ISOCHRON_PD_SERVER.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

use plane_actor::{
    actors::recover::{Mark, mark, timestamps},
    edge::{
        pd::{MarkedConnector, PdConnector},
        rest::Rest,
        tikv::StatusAddresses,
    },
    ports::{Marked, MarkedConnect, PdConnect, PdEndpoint, PortError},
};
use shared::{reason::Reason, ts::Ts};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tests::servers::{
    pd::Pd as PdServer,
    tikv::{StoreSpec, TikvCluster},
};

const HOUR: u64 = 3_600_000 << 18;

fn endpoint(server: &PdServer) -> PdEndpoint {
    PdEndpoint { urls: server.urls(), tls: None }
}

async fn connect(server: &PdServer) -> Arc<dyn Marked> {
    MarkedConnector.connect(&endpoint(server)).await.unwrap()
}

fn refused(error: Option<PortError>) -> String {
    match error {
        Some(PortError::Refused(refusal)) => refusal.message,
        other => panic!("{other:?}"),
    }
}

/// The mark as PD's HTTP API shows it, read without the edge.
async fn shown(server: &PdServer) -> bool {
    let url = format!("{}/pd/api/v1/admin/cluster/markers/snapshot-recovering", server.url());
    let rest = Rest::new(None).unwrap();
    let answer = rest.send(hyper::Method::GET, &url, String::new(), Duration::from_secs(5)).await.unwrap();
    serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["marked"].as_bool().unwrap()
}

/// Nobody has ever started a TiKV there.
#[tokio::test]
async fn an_empty_pd_is_marked_and_its_ids_and_its_clock_are_set() {
    let server = PdServer::start().await.unwrap();
    let marked = connect(&server).await;
    assert!(!marked.is_bootstrapped().await.unwrap() && !marked.is_marked().await.unwrap());
    let (first, second) = (marked.alloc_id().await.unwrap(), marked.alloc_id().await.unwrap());
    assert_eq!(second, first + 1);
    let text = refused(marked.set_base_alloc_id(9000).await.err());
    assert!(text.contains("403") && text.contains("recovering mark"), "{text}");
    assert_eq!(marked.alloc_id().await.unwrap(), second + 1, "nothing was set");

    for _ in 0..2 {
        marked.mark().await.unwrap();
        assert!(marked.is_marked().await.unwrap() && shown(&server).await);
    }
    marked.set_base_alloc_id(9000).await.unwrap();
    assert_eq!(marked.alloc_id().await.unwrap(), 9001);
    // It sets, and does not raise: the same id is handed out twice.
    marked.set_base_alloc_id(500).await.unwrap();
    assert_eq!(marked.alloc_id().await.unwrap(), 501);

    let now = marked.now().await.unwrap();
    // Further ahead than PD lets anybody go without force-use-larger, and a number that no float holds.
    let later = Ts((now.0 + 30 * HOUR) | 1);
    marked.reset_ts(later).await.unwrap();
    let moved = marked.now().await.unwrap();
    assert!(moved > later, "{moved} {later}");
    marked.reset_ts(now).await.unwrap();
    assert!(marked.now().await.unwrap() > moved, "a smaller one changes nothing");

    for _ in 0..2 {
        marked.unmark().await.unwrap();
        assert!(!marked.is_marked().await.unwrap() && !shown(&server).await);
    }
    assert!(refused(marked.set_base_alloc_id(9000).await.err()).contains("403"));
}

#[tokio::test]
async fn the_mark_and_the_ids_outlive_a_leader() {
    let server = PdServer::start_members(3).await.unwrap();
    let marked = connect(&server).await;
    marked.mark().await.unwrap();
    marked.set_base_alloc_id(9000).await.unwrap();
    let (id, now) = (marked.alloc_id().await.unwrap(), marked.now().await.unwrap());
    let later = Ts(now.0 + HOUR);
    marked.reset_ts(later).await.unwrap();
    server.change_leader().await.unwrap();
    assert!(marked.is_marked().await.unwrap());
    assert!(marked.alloc_id().await.unwrap() > id);
    assert!(marked.now().await.unwrap() > later, "time went back");
}

/// The first steps of a restore, and what a backup then says of that PD.
#[tokio::test]
async fn a_restore_marks_an_empty_pd_and_takes_no_other() {
    let server = PdServer::start().await.unwrap();
    let marked = connect(&server).await;
    let above = Ts(marked.now().await.unwrap().0 + HOUR);
    let id = mark(marked.as_ref(), &Mark { above, ours: false }).await.unwrap();
    assert_eq!(id, marked.cluster().await.unwrap());
    let times = timestamps(marked.as_ref(), Ts(above.0 - HOUR), above).await.unwrap();
    assert!(above < times.start_ts && times.start_ts < times.commit_ts);
    let pd = PdConnector::new(StatusAddresses::default()).connect(&endpoint(&server)).await.unwrap();
    assert!(pd.cluster().await.unwrap().recovering && pd.stores().await.unwrap().is_empty());

    let again = mark(marked.as_ref(), &Mark { above, ours: false }).await.unwrap_err();
    assert_eq!(again.reason, Reason::ClusterRecovering);
    mark(marked.as_ref(), &Mark { above, ours: true }).await.unwrap();

    marked.unmark().await.unwrap();
    let stores: Vec<_> = (1..=3).map(|host| StoreSpec::new(Ipv4Addr::new(127, 12, 40, host))).collect();
    let _cluster = TikvCluster::start(&server.url(), &stores).await.unwrap();
    assert!(marked.is_bootstrapped().await.unwrap());
    let started = mark(marked.as_ref(), &Mark { above, ours: false }).await.unwrap_err();
    assert_eq!(started.reason, Reason::StoresChanged, "{started}");
    assert!(!marked.is_marked().await.unwrap());
}
