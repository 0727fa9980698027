//! Coordinators of this process with light planes: each answers every order after some time, and what they heard is kept; of
//! several coordinators with one TiDB cluster, who held it when.

use super::{Place, plane_name};
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
    wire::{self, AccountPart, Answer, CallBudgets, Down, Hello, Order, Up},
};
use shell::{
    clock::Clock,
    link::{Identity, Link, pair},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// What each answer takes.
pub const WORK: Duration = Duration::from_secs(2);

/// What planes are.
#[derive(Clone, Copy)]
pub struct Planes {
    /// All of them.
    pub number: u32,
    /// Of each TiDB cluster.
    pub members: u32,
    /// Said when prepared, of the one account in which all of them work; `None`: each has its own.
    pub account: Option<CallBudgets>,
    /// They are of a version to come, and say more than this one knows.
    pub newer: bool,
}

/// What a plane was told.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// Of which coordinator.
    pub by: &'static str,
    /// Its number.
    pub plane: u32,
    /// What.
    pub what: Said,
}

/// What it was.
#[derive(Clone, Debug)]
pub enum Said {
    /// An order, by its name, under an epoch.
    Order(Epoch, &'static str),
    /// Its parts of accounts' calls.
    Divide(Vec<AccountPart>),
}

/// What all planes were told, in turn.
pub type Log = Rc<RefCell<Vec<Heard>>>;

/// One that leads from the start, with an actor of its own for each plane.
pub fn coordinator(ports: Ports, by: &'static str, planes: Planes, log: &Log) {
    coordinator_of(CoordinatorConfig::default(), ports, by, planes, log);
}

/// The same, configured so.
pub fn coordinator_of(config: CoordinatorConfig, ports: Ports, by: &'static str, planes: Planes, log: &Log) {
    let (decision, leading) = watch::channel(true);
    tokio::task::spawn_local(async move {
        let _for_as_long_as_it_runs = decision;
        std::future::pending::<()>().await;
    });
    let clock = Clock::with_wall(Arc::new(|| Timestamp(1_000)));
    coordinator_by(&By { leading, clock, work: WORK, config }, ports, by, planes, log);
}

/// When a coordinator leads, by which clock, and how long an answer takes.
pub struct By {
    /// While this says so.
    pub leading: watch::Receiver<bool>,
    /// Of the coordinator.
    pub clock: Clock,
    /// What each answer of a plane takes.
    pub work: Duration,
    /// Its configuration, but for the planes.
    pub config: CoordinatorConfig,
}

/// The same in a time of its own.
pub fn coordinator_by(how: &By, ports: Ports, by: &'static str, planes: Planes, log: &Log) {
    let By { leading, clock, work, config } = how;
    let (leading, clock, work, config) = (leading.clone(), clock.clone(), *work, config.clone());
    let names: BTreeSet<String> = (0..planes.number).map(plane_name).collect();
    let config = CoordinatorConfig { planes: names.clone(), ..config };
    let (gate, connecting) = mpsc::channel(4);
    let log = log.clone();
    tokio::task::spawn_local(async move {
        let (_known, known) = watch::channel(names);
        let (_admins, admins) = mpsc::channel(1);
        let (_stop, stops) = mpsc::channel(1);
        let inbound = Inbound { planes: connecting, admins, leading, standing: Arc::default(), known, stops };
        for number in 0..planes.number {
            tokio::task::spawn_local(plane(number, planes, work, gate.clone(), by, log.clone()));
        }
        let ended = coordinator::run(config, ports, clock, Arc::new(Metrics::new()), inbound).await;
        assert!(ended.is_ok(), "coordinator {by}: {ended:?}");
    });
}

/// Dials until it is welcome, then answers.
async fn plane(
    number: u32,
    planes: Planes,
    work: Duration,
    gate: mpsc::Sender<IncomingPlane>,
    by: &'static str,
    log: Log,
) {
    let Some(mut link) = welcome(number, planes, work, &gate).await else { return };
    let place = Place::of(number, planes.number, planes.members);
    while let Some(frame) = link.rx.recv().await {
        let heard = |what| log.borrow_mut().push(Heard { at: Instant::now(), by, plane: number, what });
        let Ok(down) = wire::decode(&frame) else { return };
        let (attempt, epoch, order) = match down {
            Down::Order { attempt, epoch, order } => (attempt, epoch, order),
            Down::Divide(division) => {
                heard(Said::Divide(division.parts));
                continue;
            }
            Down::Preflight(_)
            | Down::Verify(_)
            | Down::Scan(_)
            | Down::Diagnose(_)
            | Down::Inspect(_)
            | Down::Restore(_) => continue,
        };
        heard(Said::Order(epoch, order.name()));
        // A renewal is answered at once, or it would wait behind the work.
        if !matches!(order, Order::Renew(_)) {
            sleep(work).await;
        }
        let Ok(mut answer) = place.answer(epoch, order) else { return };
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

/// `None`: the coordinator is gone.
async fn welcome(number: u32, planes: Planes, work: Duration, gate: &mpsc::Sender<IncomingPlane>) -> Option<Link> {
    loop {
        let (ours, theirs) = pair(Identity::Plane(plane_name(number)), Identity::Coordinator("c".to_owned()));
        let (tell, told) = tokio::sync::oneshot::channel();
        let plane = PlaneId::new(plane_name(number));
        let shares = planes.account.is_some();
        let hello = Hello { divides: shares, unpacks: shares, ..Hello::plain("test", plane.clone(), "1") };
        let answer = move |answer: Result<wire::Welcome, String>| {
            let _ = tell.send(answer.is_ok_and(|welcome| welcome.leading));
            async move { Ok(ours) }.boxed()
        };
        gate.send(IncomingPlane { plane, hello, answer: Box::new(answer) }).await.ok()?;
        if told.await.ok()? {
            return Some(theirs);
        }
        sleep(work).await;
    }
}

async fn say(link: &Link, up: &impl Serialize) {
    if let Ok(frame) = wire::encode(up) {
        let _ = link.tx.send(Bytes::from(frame)).await;
    }
}

/// A VolumeBackup of the TiDB cluster of these planes.
#[must_use]
pub fn manifest(namespace: &str, name: &str, planes: Range<u32>) -> String {
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
#[must_use]
pub fn complete(object: Option<&Value>) -> bool {
    object.is_some_and(|object| object["status"]["phase"] == "Complete")
}

/// Who held a TiDB cluster under an epoch, from the first touch to the last order to let go.
pub type Held = BTreeMap<Epoch, (&'static str, Instant, Instant)>;

/// Of what was heard.
///
/// # Errors
/// Two coordinators had one epoch.
pub fn held(log: &Log) -> anyhow::Result<Held> {
    let mut held = Held::new();
    for Heard { at, by, what, .. } in log.borrow().iter() {
        let Said::Order(epoch, order @ ("Reserve" | "Release")) = what else { continue };
        let (of, from, to) = held.entry(*epoch).or_insert((*by, *at, *at));
        anyhow::ensure!(of == by, "epoch {epoch} was granted to both: {order}");
        (*from, *to) = ((*from).min(*at), (*to).max(*at));
    }
    Ok(held)
}

/// There was an epoch for each of so many backups, growing over all coordinators; each of these had its turn, and none began
/// before the one ahead had let go.
///
/// # Errors
/// It was not so.
pub fn one_after_the_other(held: &Held, backups: usize) -> anyhow::Result<()> {
    anyhow::ensure!(held.len() == backups, "an epoch for each: {held:?}");
    let mut turns: Vec<_> = held.values().collect();
    anyhow::ensure!(turns.is_sorted_by_key(|(_, from, _)| *from), "epochs grow over all: {held:?}");
    for pair in turns.windows(2) {
        let [(_, _, to), (_, from, _)] = pair else { continue };
        anyhow::ensure!(to < from, "one began before the other had let go: {held:?}");
    }
    turns.dedup_by_key(|(by, ..)| *by);
    anyhow::ensure!(turns.len() > 1, "all had their turn: {held:?}");
    Ok(())
}
