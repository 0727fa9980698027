//! Two coordinators that lead at the same time, each with objects and records of its own, on one control plane. Claims are
//! common to both: what holds one TiDB cluster for one keeps the other waiting.

use crate::LIMIT;
use async_trait::async_trait;
use bytes::Bytes;
use coordinator::{
    config::CoordinatorConfig,
    metrics::Metrics,
    ports::{Entry, Inbound, IncomingPlane, Ledger, LedgerKey, Noted, ObjectEvent, PortError, Source, Text, Version},
};
use futures::FutureExt;
use serde_json::{Value, json};
use shared::{
    barrier::Summary,
    epoch::Epoch,
    ids::{BackupUid, PlaneId},
    request::Limits,
    time::Timestamp,
    wire::{self, Down, Hello, Order, Up, WIRE_VERSION},
};
use shell::{
    clock::Clock,
    link::{Identity, Link, pair},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tests::{
    control::Control,
    light::{Place, plane_name},
};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

/// Planes of the one TiDB cluster; each has an actor for each coordinator.
const PLANES: u32 = 2;
/// What each answer takes.
const WORK: Duration = Duration::from_secs(2);

/// Of one coordinator: what lies in this namespace.
struct Own {
    all: Control,
    namespace: &'static str,
}

#[async_trait]
impl Source for Own {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        let (all, mut seen) = mpsc::channel(16);
        let passing = async {
            while let Some(event) = seen.recv().await {
                let other = matches!(&event, ObjectEvent::Applied(object) if object.namespace != self.namespace);
                if !other && events.send(event).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(Source::run(&self.all, all), passing);
    }
}

#[async_trait]
impl Ledger for Own {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let own = |noted: &Noted| {
            serde_json::from_str(&noted.note).is_ok_and(|summary: Summary| summary.namespace == self.namespace)
        };
        Ok(self.all.records().await?.into_iter().filter(own).collect())
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        self.all.claims().await
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        self.all.read(key).await
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        self.all.write(key, text, expected).await
    }

    async fn may_write(&self) -> Result<(), PortError> {
        self.all.may_write().await
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        Ledger::delete(&self.all, key, expected).await
    }
}

/// What planes were ordered: when, by whom, under which epoch.
type Log = Rc<RefCell<Vec<(Instant, &'static str, Epoch, &'static str)>>>;

fn coordinator(control: &Control, namespace: &'static str, log: &Log) {
    let own = Arc::new(Own { all: control.clone(), namespace });
    let mut ports = control.ports();
    (ports.source, ports.ledger) = (own.clone(), own);
    let names: BTreeSet<String> = (0..PLANES).map(plane_name).collect();
    let config = CoordinatorConfig { planes: names.clone(), ..CoordinatorConfig::default() };
    let (gate, planes) = mpsc::channel(4);
    let log = log.clone();
    tokio::task::spawn_local(async move {
        let (_decision, leading) = watch::channel(true);
        let (_known, known) = watch::channel(names);
        let (_admins, admins) = mpsc::channel(1);
        let (_stop, stops) = mpsc::channel(1);
        let inbound = Inbound { planes, admins, leading, standing: Arc::default(), known, stops };
        for number in 0..PLANES {
            tokio::task::spawn_local(plane(number, gate.clone(), namespace, log.clone()));
        }
        let clock = Clock::with_wall(Arc::new(|| Timestamp(1_000)));
        coordinator::run(config, ports, clock, Arc::new(Metrics::new()), inbound).await.unwrap();
    });
}

/// Dials until it is welcome, then answers every order after [`WORK`].
async fn plane(number: u32, gate: mpsc::Sender<IncomingPlane>, by: &'static str, log: Log) {
    let mut link = loop {
        let (ours, theirs) = pair(Identity::Plane(plane_name(number)), Identity::Coordinator("c".to_owned()));
        let (tell, told) = tokio::sync::oneshot::channel();
        let plane = PlaneId::new(plane_name(number));
        let hello = Hello {
            wire: WIRE_VERSION,
            version: "test".to_owned(),
            plane: plane.clone(),
            boot: "1".to_owned(),
            verifies: false,
            scans: false,
        };
        let accept = move |welcome: wire::Welcome| {
            let _ = tell.send(welcome.leading);
            async move { Ok(ours) }.boxed()
        };
        gate.send(IncomingPlane { plane, hello, accept: Box::new(accept) }).await.unwrap();
        if told.await.unwrap() {
            break theirs;
        }
        sleep(WORK).await;
    };
    let place = Place::of(number, PLANES, PLANES);
    while let Some(frame) = link.rx.recv().await {
        let Down::Order { attempt, epoch, order } = wire::decode(&frame).unwrap() else { continue };
        log.borrow_mut().push((Instant::now(), by, epoch, order.name()));
        // A renewal is answered at once, or it would wait behind the work.
        if !matches!(order, Order::Renew(_)) {
            sleep(WORK).await;
        }
        let up = Up::Answer { attempt, epoch, answer: place.answer(epoch, order).unwrap() };
        answer(&link, &up).await;
    }
}

async fn answer(link: &Link, up: &Up) {
    let _ = link.tx.send(Bytes::from(wire::encode(up).unwrap())).await;
}

fn manifest(namespace: &str, name: &str) -> String {
    let cluster = |number| json!({"k8sClusterName": plane_name(number), "tcName": "shop", "tcNamespace": "tidb"});
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusters": (0..PLANES).map(cluster).collect::<Vec<_>>(),
            "template": {
                "br": {}, "s3": {"provider": "aws", "region": "r", "bucket": "b", "prefix": name}, "calcSizeLevel": "none",
            },
        },
    })
    .to_string()
}

/// From the first touch to the last order to let go.
fn held(log: &Log) -> BTreeMap<Epoch, (&'static str, Instant, Instant)> {
    let mut held = BTreeMap::new();
    for (at, by, epoch, order) in log.borrow().iter().filter(|(.., order)| ["Reserve", "Release"].contains(order)) {
        let (of, from, to) = held.entry(*epoch).or_insert((*by, *at, *at));
        assert_eq!(of, by, "epoch {epoch} was granted to both: {order}");
        (*from, *to) = ((*from).min(*at), (*to).max(*at));
    }
    held
}

#[test]
fn two_coordinators_with_objects_of_their_own_never_hold_one_tidb_cluster_at_a_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let log = Log::default();
        for namespace in ["a", "b"] {
            coordinator(&control, namespace, &log);
        }
        let keys = [("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")];
        for (namespace, name) in keys {
            control.apply(&manifest(namespace, name)).unwrap();
        }
        for (namespace, name) in keys {
            let complete =
                |object: Option<&Value>| object.is_some_and(|object| object["status"]["phase"] == "Complete");
            let key = format!("{namespace}/{name}");
            let waiting = timeout(LIMIT, control.wait(&key, complete)).await;
            assert!(waiting.is_ok(), "{key} is {:#}", control.get(&key).unwrap()["status"]);
        }
        let held = held(&log);
        assert_eq!(held.len(), keys.len(), "an epoch for each: {held:?}");
        let mut turns: Vec<_> = held.values().collect();
        assert!(turns.is_sorted_by_key(|(_, from, _)| *from), "epochs grow over both: {held:?}");
        turns.dedup_by_key(|(by, ..)| *by);
        assert!(turns.len() > 1, "both had their turn: {held:?}");
        for pair in held.values().collect::<Vec<_>>().windows(2) {
            assert!(pair[0].2 < pair[1].1, "one began before the other had let go: {held:?}");
        }
        // Each has its own records, and none takes the other's for orphans.
        let records = control.ledger().into_keys().filter(|key| matches!(key, LedgerKey::Record(_))).count();
        assert_eq!(records, keys.len());
        let other: BTreeSet<BackupUid> = control.uids();
        assert_eq!(other.len(), keys.len());
    });
}
