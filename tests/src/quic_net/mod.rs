//! The real QUIC stack between coordinator and planes, over simulated datagrams in paused time.
//!
//! ```text
//! Server, Client (shell::quic: TLS, Hello, frames) ── quinn ── Socket ── Wire: loss, copies, delay, cuts ── Socket ── …
//! ```
//! Nothing above the socket is simulated: certificates, handshakes, retransmission, keep-alives and idle limits are those
//! of production. quinn takes its time from tokio, so that paused time drives it.
//!
//! A seed fixes the fate of every datagram, quinn's own random numbers and, because Ed25519 signatures are of one
//! length, every length on the wire: the same seed gives the same trace. Keys and ciphertext are the TLS stack's secret
//! and differ each time.

mod certificates;
mod earlier;
mod inbox;
mod issuer;
mod socket;
mod wire;

pub use certificates::{COORDINATOR, Certificates, TRUST_DOMAIN, wall_from};
pub use issuer::{Issuer, Lives, READ_EVERY};
pub use wire::{Counts, Seen, Weather, Wire};

use crate::{bell::Bell, rig::Network};
use certificates::{COORDINATOR_NAME, Reading};
use coordinator::{edge, metrics::Metrics, ports::IncomingPlane};
use earlier::EarlierDialer;
use plane_actor::{edge::quic::QuicDialer, ports::Dialer};
use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use shared::ids::PlaneId;
use shell::{
    expiry,
    pki::Kind,
    quic::{Client, Limits, Monitor, Server},
    tls::{Credentials, RELOAD_EVERY},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// Where a process listens, and what lives outside its `LocalSet`.
struct Process {
    at: SocketAddr,
    serving: Option<(Monitor, Arc<Credentials>)>,
    /// What it does beside: it serves, reads its certificate files again, tells of their ends.
    tasks: Vec<AbortHandle>,
}

/// A network of real QUIC. Hosts are `coordinator` and the planes' names.
pub struct QuicNet {
    /// The datagrams: weather and cuts are made here.
    pub wire: Wire,
    certificates: Certificates,
    seed: u64,
    planes: Vec<String>,
    /// Planes whose actors are of an earlier version from their next start on.
    earlier: RefCell<BTreeSet<String>>,
    running: RefCell<BTreeMap<String, Process>>,
    /// Processes so far: each has a port and random numbers of its own.
    started: RefCell<u16>,
}

/// The coordinator's host name on the wire.
pub const COORDINATOR_HOST: &str = "coordinator";

impl QuicNet {
    /// A calm network between a coordinator and these planes.
    pub fn new(seed: u64, certificates: Certificates, planes: &[&str]) -> Self {
        let planes: Vec<String> = planes.iter().map(|plane| (*plane).to_owned()).collect();
        let wire = Wire::new(seed);
        wire.name(COORDINATOR.ip(), COORDINATOR_HOST);
        for (number, plane) in planes.iter().enumerate() {
            wire.name(address_of(number), plane);
        }
        let (earlier, running, started) = (RefCell::default(), RefCell::default(), RefCell::new(0));
        Self { wire, certificates, seed, planes, earlier, running, started }
    }

    /// The running coordinator's sessions, as its metrics see them.
    pub fn monitor(&self) -> Option<Monitor> {
        self.running.borrow().get(COORDINATOR_HOST)?.serving.as_ref().map(|(monitor, _)| monitor.clone())
    }

    /// From its next start on this plane's actor is of the version that knows none of the newest words, or of this one again.
    pub fn is_of_earlier_version(&self, plane: &str, earlier: bool) {
        let mut all = self.earlier.borrow_mut();
        if earlier {
            all.insert(plane.to_owned())
        } else {
            all.remove(plane)
        };
    }

    /// Cuts a plane off from the coordinator, both ways.
    pub fn cut(&self, plane: &str) {
        self.wire.cut(plane, COORDINATOR_HOST);
        self.wire.cut(COORDINATOR_HOST, plane);
    }

    /// Joins it again, both ways.
    pub fn heal(&self, plane: &str) {
        self.wire.heal(plane, COORDINATOR_HOST);
        self.wire.heal(COORDINATOR_HOST, plane);
    }

    fn endpoint(&self, host: &str, at: SocketAddr) -> Endpoint {
        self.die(host);
        *self.started.borrow_mut() += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..10].copy_from_slice(&self.started.borrow().to_le_bytes());
        let mut config = EndpointConfig::default();
        config.rng_seed(Some(seed));
        let socket = socket::Socket::open(&self.wire, at);
        self.running.borrow_mut().insert(host.to_owned(), Process { at, serving: None, tasks: Vec::new() });
        #[allow(clippy::expect_used)] // A simulated socket always has an address, the one thing that can fail here.
        Endpoint::new_with_abstract_socket(config, None, socket, Arc::new(TokioRuntime)).expect("an endpoint")
    }

    /// Somebody of another host, `number` of 254, who dials the coordinator with whatever certificate.
    pub fn somebody(&self, number: u8, credentials: Arc<Credentials>) -> Client {
        let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 9, number));
        self.wire.name(ip, &format!("somebody-{number}"));
        *self.started.borrow_mut() += 1;
        let socket = socket::Socket::open(&self.wire, SocketAddr::new(ip, 20_000 + *self.started.borrow()));
        let runtime = Arc::new(TokioRuntime);
        #[allow(clippy::expect_used)] // A simulated socket always has an address, the one thing that can fail here.
        let endpoint =
            Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, socket, runtime).expect("an endpoint");
        Client::on(endpoint, credentials)
    }

    /// As the programs read them, where somebody renews them.
    fn credentials(&self, host: &str, kind: Kind, name: &str) -> Arc<Credentials> {
        let credentials = self.certificates.of(kind, name);
        match self.certificates.mounted.as_ref().map(|mounted| mounted.reading.clone()) {
            None => {}
            Some(Reading::Every(every)) => self.beside(host, credentials.clone().keep_fresh(every)),
            Some(Reading::Told(bell, every)) => self.beside(host, read_when_told(credentials.clone(), bell, every)),
        }
        credentials
    }

    /// Something that a process does, until it dies.
    fn beside(&self, host: &str, task: impl Future<Output: Send + 'static> + Send + 'static) {
        if let Some(process) = self.running.borrow_mut().get_mut(host) {
            process.tasks.push(tokio::spawn(task).abort_handle());
        }
    }

    /// The socket is gone before anything above it ends, so that no farewell leaves it.
    fn die(&self, host: &str) {
        if let Some(process) = self.running.borrow_mut().remove(host) {
            self.wire.close(process.at);
            for task in process.tasks {
                task.abort();
            }
        }
    }
}

/// Files are read at every turn of `every`; those at which they are as before are left out.
async fn read_when_told(credentials: Arc<Credentials>, bell: Bell, every: Duration) {
    let (begun, mut ear) = (Instant::now(), bell.listen());
    loop {
        ear.rung().await;
        let turns = begun.elapsed().as_millis() / every.as_millis() + 1;
        sleep_until(begun + every * u32::try_from(turns).unwrap_or(u32::MAX)).await;
        if let Err(error) = credentials.reload() {
            tracing::warn!(%error, "certificate files cannot be used, the ones before stay in use");
        }
    }
}

fn address_of(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, u8::try_from(number).unwrap_or(u8::MAX)))
}

impl Network for QuicNet {
    fn coordinator_up(&self, gate: mpsc::Sender<IncomingPlane>) {
        let endpoint = self.endpoint(COORDINATOR_HOST, COORDINATOR);
        let credentials = self.credentials(COORDINATOR_HOST, Kind::Coordinator, COORDINATOR_NAME);
        #[allow(clippy::expect_used)] // The certificates were read above.
        let server = Server::on(endpoint, &credentials, Limits::default()).expect("a server");
        let monitor = server.monitor();
        // Nobody asks for the console here.
        let (admins, _) = mpsc::channel(1);
        self.beside(COORDINATOR_HOST, edge::quic::serve(server, gate, admins));
        if let Some(process) = self.running.borrow_mut().get_mut(COORDINATOR_HOST) {
            process.serving = Some((monitor, credentials));
        }
    }

    /// As `coordinator serve`, where certificates have lives to be told of.
    fn coordinator_tells(&self, metrics: &Arc<Metrics>) {
        if !matches!(&self.certificates.mounted, Some(mounted) if mounted.lists) {
            return;
        }
        let serving = self.running.borrow().get(COORDINATOR_HOST).and_then(|process| process.serving.clone());
        let Some((monitor, credentials)) = serving else { return };
        let (told, wall) = (metrics.clone(), self.certificates.wall.clone());
        let known = move || {
            told.dials(monitor.counts());
            credentials.current().expiries().iter().cloned().chain(monitor.expiries()).collect()
        };
        self.beside(COORDINATOR_HOST, expiry::tell(metrics.expiries(), RELOAD_EVERY, move || wall(), known));
    }

    fn coordinator_down(&self) {
        self.die(COORDINATOR_HOST);
    }

    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer> {
        let number = self.planes.iter().position(|known| known == plane).unwrap_or(self.planes.len());
        let at = SocketAddr::new(address_of(number), 40_000 + *self.started.borrow());
        let endpoint = self.endpoint(plane, at);
        let client = Client::on(endpoint, self.credentials(plane, Kind::Plane, plane));
        let (servers, id) = (vec![COORDINATOR.to_string()], PlaneId::from(plane));
        match self.earlier.borrow().contains(plane) {
            true => Arc::new(EarlierDialer::new(client, servers, id, *self.started.borrow())),
            false => Arc::new(QuicDialer::new(client, servers, None, id)),
        }
    }

    fn plane_down(&self, plane: &str) {
        self.die(plane);
    }
}
