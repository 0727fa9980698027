//! Coordinators with planes that have no world: each answers every order after [`WORK`], and what they heard is kept.

use bytes::Bytes;
use coordinator::{
    config::CoordinatorConfig,
    metrics::Metrics,
    ports::{Inbound, IncomingPlane, Ports},
};
use futures::FutureExt;
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    epoch::Epoch,
    ids::PlaneId,
    time::Timestamp,
    wire::{self, AccountPart, Answer, CallBudgets, Down, Hello, Order, Up, WIRE_VERSION},
};
use shell::{
    clock::Clock,
    link::{Identity, Link, pair},
};
use std::{cell::RefCell, collections::BTreeSet, ops::Range, rc::Rc, sync::Arc, time::Duration};
use tests::light::{Place, plane_name};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// What each answer takes.
pub(crate) const WORK: Duration = Duration::from_secs(2);

/// What planes are.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    pub(crate) number: u32,
    /// Of each TiDB cluster.
    pub(crate) members: u32,
    /// Said when prepared, of the one account in which all of them work; `None`: each has its own.
    pub(crate) account: Option<CallBudgets>,
    /// They are of a version to come, and say more than this one knows.
    pub(crate) newer: bool,
}

/// What a plane was told.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    /// Of which coordinator.
    pub(crate) by: &'static str,
    pub(crate) plane: u32,
    pub(crate) what: Said,
}

#[derive(Clone, Debug)]
pub(crate) enum Said {
    Order(Epoch, &'static str),
    Divide(Vec<AccountPart>),
}

pub(crate) type Log = Rc<RefCell<Vec<Heard>>>;

/// One that leads from the start, with an actor of its own for each plane.
pub(crate) fn coordinator(ports: Ports, by: &'static str, planes: Planes, log: &Log) {
    coordinator_of(CoordinatorConfig::default(), ports, by, planes, log);
}

/// The same, configured so.
pub(crate) fn coordinator_of(config: CoordinatorConfig, ports: Ports, by: &'static str, planes: Planes, log: &Log) {
    let names: BTreeSet<String> = (0..planes.number).map(plane_name).collect();
    let config = CoordinatorConfig { planes: names.clone(), ..config };
    let (gate, connecting) = mpsc::channel(4);
    let log = log.clone();
    tokio::task::spawn_local(async move {
        let (_decision, leading) = watch::channel(true);
        let (_known, known) = watch::channel(names);
        let (_admins, admins) = mpsc::channel(1);
        let (_stop, stops) = mpsc::channel(1);
        let inbound = Inbound { planes: connecting, admins, leading, standing: Arc::default(), known, stops };
        for number in 0..planes.number {
            tokio::task::spawn_local(plane(number, planes, gate.clone(), by, log.clone()));
        }
        let clock = Clock::with_wall(Arc::new(|| Timestamp(1_000)));
        coordinator::run(config, ports, clock, Arc::new(Metrics::new()), inbound).await.unwrap();
    });
}

/// Dials until it is welcome, then answers.
async fn plane(number: u32, planes: Planes, gate: mpsc::Sender<IncomingPlane>, by: &'static str, log: Log) {
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
            divides: planes.account.is_some(),
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
    let place = Place::of(number, planes.number, planes.members);
    while let Some(frame) = link.rx.recv().await {
        let heard = |what| log.borrow_mut().push(Heard { at: Instant::now(), by, plane: number, what });
        let (attempt, epoch, order) = match wire::decode(&frame).unwrap() {
            Down::Order { attempt, epoch, order } => (attempt, epoch, order),
            Down::Divide(division) => {
                heard(Said::Divide(division.parts));
                continue;
            }
            Down::Preflight(_) | Down::Verify(_) | Down::Scan(_) => continue,
        };
        heard(Said::Order(epoch, order.name()));
        // A renewal is answered at once, or it would wait behind the work.
        if !matches!(order, Order::Renew(_)) {
            sleep(WORK).await;
        }
        let mut answer = place.answer(epoch, order).unwrap();
        if let (Answer::Prepared(prepared), Some(budgets)) = (&mut answer, planes.account) {
            (prepared.account, prepared.budgets) = ("123456789012".to_owned(), Some(budgets));
        }
        if planes.newer {
            say(&link, &json!({ "Weather": { "sun": [1, null] } })).await;
            let progress = json!({ "Progress": { "phase": "Defragmenting", "done": 1 } });
            say(&link, &json!({ "Answer": { "attempt": attempt, "epoch": epoch, "answer": progress } })).await;
        }
        say(&link, &Up::Answer { attempt, epoch, answer }).await;
    }
}

async fn say(link: &Link, up: &impl Serialize) {
    let _ = link.tx.send(Bytes::from(wire::encode(up).unwrap())).await;
}

/// A VolumeBackup of the TiDB cluster of these planes.
pub(crate) fn manifest(namespace: &str, name: &str, planes: Range<u32>) -> String {
    let cluster = |number| json!({"k8sClusterName": plane_name(number), "tcName": "shop", "tcNamespace": "tidb"});
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusters": planes.map(cluster).collect::<Vec<_>>(),
            "template": {
                "br": {}, "s3": {"provider": "aws", "region": "r", "bucket": "b", "prefix": name}, "calcSizeLevel": "none",
            },
        },
    })
    .to_string()
}

/// Is its phase `Complete`?
pub(crate) fn complete(object: Option<&Value>) -> bool {
    object.is_some_and(|object| object["status"]["phase"] == "Complete")
}
