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
mod inbox;
mod issuer;
mod socket;
mod wire;

pub use certificates::{COORDINATOR, Certificates, TRUST_DOMAIN};
pub use issuer::{Issuer, READ_EVERY};
pub use wire::{Counts, Seen, Weather, Wire};

use crate::rig::Network;
use certificates::COORDINATOR_NAME;
use coordinator::{edge, ports::IncomingPlane};
use plane_actor::{edge::quic::QuicDialer, ports::Dialer};
use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use shared::ids::PlaneId;
use shell::{
    pki::Kind,
    quic::{Client, Limits, Monitor, Server},
    tls::Credentials,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{sync::mpsc, task::AbortHandle};

/// Where a process listens, and what lives outside its `LocalSet`.
struct Process {
    at: SocketAddr,
    serving: Option<(Monitor, AbortHandle)>,
    /// Reads its certificate files again.
    reading: Option<AbortHandle>,
}

/// A network of real QUIC. Hosts are `coordinator` and the planes' names.
pub struct QuicNet {
    /// The datagrams: weather and cuts are made here.
    pub wire: Wire,
    certificates: Certificates,
    seed: u64,
    planes: Vec<String>,
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
        Self { wire, certificates, seed, planes, running: RefCell::default(), started: RefCell::new(0) }
    }

    /// The running coordinator's sessions, as its metrics see them.
    pub fn monitor(&self) -> Option<Monitor> {
        self.running.borrow().get(COORDINATOR_HOST)?.serving.as_ref().map(|(monitor, _)| monitor.clone())
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
        self.running.borrow_mut().insert(host.to_owned(), Process { at, serving: None, reading: None });
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
        if self.certificates.renewed
            && let Some(process) = self.running.borrow_mut().get_mut(host)
        {
            process.reading = Some(tokio::spawn(credentials.clone().keep_fresh(READ_EVERY)).abort_handle());
        }
        credentials
    }

    /// The socket is gone before anything above it ends, so that no farewell leaves it.
    fn die(&self, host: &str) {
        if let Some(process) = self.running.borrow_mut().remove(host) {
            self.wire.close(process.at);
            for task in process.serving.map(|(_, serving)| serving).into_iter().chain(process.reading) {
                task.abort();
            }
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
        let serving = tokio::spawn(edge::quic::serve(server, gate, admins)).abort_handle();
        if let Some(process) = self.running.borrow_mut().get_mut(COORDINATOR_HOST) {
            process.serving = Some((monitor, serving));
        }
    }

    fn coordinator_down(&self) {
        self.die(COORDINATOR_HOST);
    }

    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer> {
        let number = self.planes.iter().position(|known| known == plane).unwrap_or(self.planes.len());
        let at = SocketAddr::new(address_of(number), 40_000 + *self.started.borrow());
        let endpoint = self.endpoint(plane, at);
        let client = Client::on(endpoint, self.credentials(plane, Kind::Plane, plane));
        Arc::new(QuicDialer::new(client, vec![COORDINATOR.to_string()], None, PlaneId::from(plane)))
    }

    fn plane_down(&self, plane: &str) {
        self.die(plane);
    }
}
