//! The whole system in virtual time: real actors and machines of coordinator and planes, the simulated world behind
//! their ports, and a network whose links can be cut. One paused current-thread runtime; one `LocalSet` per host, so that
//! dropping it kills the host as `kill -9` does. What joins them is a [`Network`]: frames above QUIC ([`Net`], the usual
//! choice), or the real QUIC stack over simulated datagrams ([`crate::quic_net::QuicNet`]).

mod asking;
mod manifests;
mod net;
mod network;

pub use net::{Net, Tap, Way};
pub use network::Network;

use crate::{
    control::{Control, parse_claim, parse_record},
    world::{World, WorldConfig},
};
use coordinator::{
    config::{CoordinatorConfig, VerifyEvery},
    metrics::Metrics,
    ports::{AdminCall, Inbound, LedgerKey},
};
use plane_actor::{config::PlaneConfig, ports::PlaneView};
use serde_json::Value;
use shared::{
    barrier::{Claim, Record, Verdict},
    ids::SnapshotId,
    request::Limits,
    time::{Millis, Timestamp},
};
use shell::clock::Clock;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, LocalSet},
};

/// Namespace of every backup that a rig's manifests make.
pub const NAMESPACE: &str = "br-admin";
/// Namespace and name of the one backup that a rig's manifest makes.
pub const KEY: &str = "br-admin/backup";

/// A running system. Everything in it runs on the present thread.
pub struct Rig<N: Network = Net> {
    /// The TiDB cluster, its cloud, its API servers.
    pub world: World,
    /// VolumeBackup objects and the ledger.
    pub control: Control,
    /// Between coordinator and planes.
    pub net: N,
    coordinator: RefCell<Option<JoinHandle<()>>>,
    /// Coordinator processes so far.
    starts: Cell<u64>,
    /// Where signals to the coordinator go.
    stops: RefCell<Option<mpsc::Sender<()>>>,
    /// Where questions of consoles go.
    admins: RefCell<Option<mpsc::Sender<AdminCall>>>,
    /// Of the newest coordinator process.
    metrics: RefCell<Arc<Metrics>>,
    /// The planes that may be named, as the coordinator's configuration has them now.
    pub known: watch::Sender<BTreeSet<String>>,
    /// How often coordinators that start from now on look at what is kept; of itself they do not.
    pub verify: Cell<VerifyEvery>,
    /// Processes of planes so far.
    plane_starts: Cell<u64>,
    deposed: RefCell<Vec<JoinHandle<()>>>,
    planes: RefCell<BTreeMap<String, PlaneHost>>,
    life: JoinHandle<()>,
}

struct PlaneHost {
    host: JoinHandle<()>,
    /// Where a signal to it goes.
    stop: Option<oneshot::Sender<()>>,
    view: watch::Receiver<PlaneView>,
}

/// Runs `play` on a fresh rig in paused time, inside the outer `LocalSet` of the rig's hosts.
pub fn run<F: Future>(config: WorldConfig, play: impl FnOnce(Rc<Rig>) -> F) -> F::Output {
    let net = Net::new(config.seed);
    run_over(config, net, play)
}

/// The same over a network of the caller's choice.
pub fn run_over<N: Network, F: Future>(config: WorldConfig, net: N, play: impl FnOnce(Rc<Rig<N>>) -> F) -> F::Output {
    #[allow(clippy::expect_used)] // Without a runtime there is no test.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async move {
        let rig = Rc::new(Rig::new(config, net));
        play(rig).await
    })
}

/// The same in real time, over a network of real sockets.
pub fn run_in_real_time<N: Network, F: Future>(
    config: WorldConfig,
    net: N,
    play: impl FnOnce(Rc<Rig<N>>) -> F,
) -> F::Output {
    #[allow(clippy::expect_used)] // Without a runtime there is no test.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async move { play(Rc::new(Rig::new(config, net))).await })
}

impl<N: Network> Rig<N> {
    fn new(config: WorldConfig, net: N) -> Self {
        let planes: Vec<_> = config.planes.iter().map(|plane| plane.name.clone()).collect();
        let world = World::new(config);
        let living = world.clone();
        let wall: Arc<dyn Fn() -> Timestamp + Send + Sync> = {
            let world = world.clone();
            Arc::new(move || world.wall())
        };
        let limits = Limits { store_uptime: Millis(0), ..Limits::default() };
        let rig = Self {
            control: Control::new(limits, wall),
            net,
            coordinator: RefCell::default(),
            starts: Cell::default(),
            stops: RefCell::default(),
            admins: RefCell::default(),
            metrics: RefCell::new(Arc::new(Metrics::new())),
            known: watch::Sender::new(planes.iter().cloned().collect()),
            plane_starts: Cell::new(0),
            verify: Cell::new(VerifyEvery { enabled: false, ..VerifyEvery::default() }),
            deposed: RefCell::default(),
            planes: RefCell::default(),
            life: tokio::spawn(async move { living.run().await }),
            world,
        };
        rig.start_coordinator();
        for plane in planes {
            rig.start_plane(&plane);
        }
        rig
    }

    /// A coordinator process starts, on the ledger as it is.
    pub fn start_coordinator(&self) {
        let (planes_tx, planes) = mpsc::channel(16);
        let (admins_tx, admins) = mpsc::channel(16);
        let (decision, leading) = watch::channel(true);
        let (stop, stops) = mpsc::channel(4);
        self.stops.replace(Some(stop));
        self.admins.replace(Some(admins_tx.clone()));
        let metrics = Arc::new(Metrics::new());
        self.metrics.replace(metrics.clone());
        self.starts.set(self.starts.get() + 1);
        let known = self.known.subscribe();
        self.net.coordinator_up(planes_tx);
        self.net.coordinator_tells(&metrics);
        let config = CoordinatorConfig { verify: self.verify.get(), ..CoordinatorConfig::default() };
        let (ports, world) = (self.control.ports(), self.world.clone());
        let host = async move {
            let _alive = (decision, admins_tx);
            let clock = Clock::with_wall(Arc::new(move || world.wall_of("")));
            let inbound = Inbound { planes, admins, leading, standing: Arc::default(), known, stops };
            if let Err(error) = coordinator::run(config, ports, clock, metrics, inbound).await {
                tracing::warn!(%error, "coordinator ended");
            }
        };
        self.coordinator.replace(Some(host_on_its_own(host)));
    }

    /// How many coordinator processes were started so far: the number of the one that runs.
    pub fn coordinator_starts(&self) -> u64 {
        self.starts.get()
    }

    /// SIGTERM to the coordinator.
    pub fn tell_coordinator_to_end(&self) {
        // It has ended already.
        let _ = self.stops.borrow().as_ref().map(|stops| stops.try_send(()));
    }

    /// A second coordinator process starts while the first one still believes that it leads: planes that dial again come
    /// to the new one.
    pub fn depose_coordinator(&self) {
        if let Some(host) = self.coordinator.take() {
            self.deposed.borrow_mut().push(host);
        }
        self.start_coordinator();
    }

    /// Whoever was deposed ends.
    pub fn kill_deposed(&self) {
        for host in self.deposed.take() {
            host.abort();
        }
    }

    /// Does one that was deposed still run?
    pub fn deposed_run(&self) -> bool {
        self.deposed.borrow().iter().any(|host| !host.is_finished())
    }

    /// Is a coordinator process alive?
    pub fn coordinator_runs(&self) -> bool {
        self.coordinator.borrow().as_ref().is_some_and(|host| !host.is_finished())
    }

    /// `kill -9` of the coordinator. Planes notice only when their links fall silent.
    pub fn kill_coordinator(&self) {
        self.net.coordinator_down();
        if let Some(host) = self.coordinator.take() {
            host.abort();
        }
    }

    /// A plane actor process starts, on its ledger as it is.
    pub fn start_plane(&self, plane: &str) {
        let ports = self.world.plane_ports(plane, self.net.plane_up(plane));
        let budgets = self.world.config().ec2.budgets();
        let (tags, volumes) = (self.world.config().user_tags, self.world.config().volumes);
        self.plane_starts.set(self.plane_starts.get() + 1);
        let new_ledger = format!("ledger-{plane}-{}", self.plane_starts.get());
        let config = PlaneConfig { budgets, tags, volumes, new_ledger, ..PlaneConfig::new(plane) };
        let view = ports.views.subscribe();
        let (name, (stop, stopped)) = (plane.to_owned(), oneshot::channel());
        let host = async move {
            // Nobody signals a process that was killed.
            let told = async move {
                if stopped.await.is_err() {
                    pending::<()>().await;
                }
            };
            if let Err(error) = plane_actor::run(config, ports, told).await {
                tracing::warn!(%error, name, "plane ended");
            }
        };
        let kept = PlaneHost { host: host_on_its_own(host), stop: Some(stop), view };
        self.planes.borrow_mut().insert(plane.to_owned(), kept);
    }

    /// SIGTERM to a plane actor. False: it does not run, or was told before.
    pub fn tell_plane_to_end(&self, plane: &str) -> bool {
        let mut planes = self.planes.borrow_mut();
        let stop = planes.get_mut(plane).filter(|kept| !kept.host.is_finished()).and_then(|kept| kept.stop.take());
        stop.is_some_and(|stop| stop.send(()).is_ok())
    }

    /// `kill -9` of a plane actor.
    pub fn kill_plane(&self, plane: &str) {
        self.net.plane_down(plane);
        if let Some(kept) = self.planes.borrow_mut().remove(plane) {
            kept.host.abort();
        }
    }

    /// Is a process of this plane alive?
    pub fn plane_runs(&self, plane: &str) -> bool {
        self.planes.borrow().get(plane).is_some_and(|kept| !kept.host.is_finished())
    }

    /// What a plane shows of itself now, while a process of it is alive.
    pub fn plane_view<R>(&self, plane: &str, look: impl FnOnce(&PlaneView) -> R) -> Option<R> {
        self.planes.borrow().get(plane).map(|kept| look(&kept.view.borrow()))
    }

    /// Applies the manifest and waits for its end: the phase, or "" when `limit` (virtual) has passed.
    pub async fn backup(&self, more: &str, limit: Duration) -> String {
        if let Err(error) = self.control.apply(&self.manifest(more)) {
            return error.to_string();
        }
        self.ended(limit).await
    }

    /// Waits until the backup has ended.
    pub async fn ended(&self, limit: Duration) -> String {
        let over = |object: Option<&Value>| {
            object.is_none_or(|object| {
                matches!(object["status"]["phase"].as_str(), Some("Complete" | "Failed" | "Invalid"))
            })
        };
        let _ = tokio::time::timeout(limit, self.control.wait(KEY, over)).await;
        let phase = self.control.phase(KEY);
        if matches!(phase.as_str(), "Complete" | "Failed" | "Invalid") { phase } else { String::new() }
    }

    /// Deletes the object and waits until it is gone; false when `limit` has passed.
    pub async fn delete(&self, limit: Duration) -> bool {
        self.control.delete(KEY);
        tokio::time::timeout(limit, self.control.wait(KEY, |object| object.is_none())).await.is_ok()
    }

    /// The backup's record as the ledger holds it.
    pub fn record(&self) -> Option<Record> {
        self.records().into_iter().next()
    }

    /// Every record that it holds.
    pub fn records(&self) -> Vec<Record> {
        let record = |(key, body): (&LedgerKey, &String)| match key {
            LedgerKey::Record(_) => parse_record(body),
            LedgerKey::Claim(_) | LedgerKey::Restore(_) => None,
        };
        self.control.ledger().iter().filter_map(record).collect()
    }

    /// Every claim as the ledger holds it.
    pub fn claims(&self) -> Vec<Claim> {
        let ledger = self.control.ledger();
        let texts = ledger.iter().filter(|(key, _)| matches!(key, LedgerKey::Claim(_)));
        texts.filter_map(|(_, text)| parse_claim(text)).collect()
    }

    /// Reason and message of the failure.
    pub fn failure(&self) -> (String, String) {
        self.record()
            .and_then(|record| record.failure)
            .map(|refusal| (refusal.reason.to_string(), refusal.message))
            .unwrap_or_default()
    }

    /// Snapshots that the record's certificate names.
    pub fn certified(&self) -> Vec<SnapshotId> {
        self.record()
            .and_then(|record| record.certificate)
            .map(|certificate| {
                let planes = certificate.planes.into_values();
                planes.flat_map(|plane| plane.evidence.snapshots).map(|snapshot| snapshot.snapshot).collect()
            })
            .unwrap_or_default()
    }

    /// The truth about a certified backup, by the oracle and by the bank, which know nothing of the protocol. Empty: it
    /// is what the certificate says.
    pub fn lies(&self) -> Vec<String> {
        match self.record() {
            Some(record) => self.lies_of(&record),
            None => vec!["there is no certificate".to_owned()],
        }
    }

    /// The same of any record.
    pub fn lies_of(&self, record: &Record) -> Vec<String> {
        lies(&self.world, record)
    }
}

impl<N: Network> Drop for Rig<N> {
    fn drop(&mut self) {
        self.life.abort();
        self.kill_coordinator();
        self.kill_deposed();
        for (_, kept) in std::mem::take(&mut *self.planes.borrow_mut()) {
            kept.host.abort();
        }
    }
}

/// The truth about a record's certificate, by the oracle and by the bank. Empty: it is what the certificate says.
pub fn lies(world: &World, record: &Record) -> Vec<String> {
    let Some(certificate) = &record.certificate else {
        return vec!["there is no certificate".to_owned()];
    };
    let planes = certificate.planes.values();
    let named: Vec<_> =
        planes.flat_map(|plane| &plane.evidence.snapshots).map(|snapshot| snapshot.snapshot.clone()).collect();
    let cut = match world.cut(&named, certificate.commit_ts) {
        Ok(cut) => cut,
        Err(error) => return vec![format!("a certified snapshot is missing: {error}")],
    };
    let restored = world.restore_cut(&cut);
    let mut findings = world.judge(&cut);
    findings.extend(certificate.ts_ceiling.map(|ceiling| world.above(&cut, ceiling)).unwrap_or_default());
    let mut lies: Vec<_> =
        findings.iter().map(|finding| format!("oracle {}: {}", finding.rule, finding.text)).collect();
    let weaker = cut.compacting();
    if certificate.verdict == Verdict::Consistent && !weaker.is_empty() {
        lies.push(format!("called consistent, and the leases of {weaker:?} do not stop log compaction"));
    }
    if !restored.sound() {
        lies.push(format!("bank holds {} of {}, {:?}", restored.total, restored.expected, restored.faults));
    }
    lies
}

/// A host: everything that it spawns lives in a `LocalSet` of its own and dies with it.
fn host_on_its_own(program: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    tokio::task::spawn_local(async move { LocalSet::new().run_until(program).await })
}
