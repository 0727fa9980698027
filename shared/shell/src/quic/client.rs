//! The dialling side: a plane's link to the coordinator that leads, and an admin's requests.

use super::{
    Close, FLUSH_LIMIT, HELLO_BYTES, HELLO_LIMIT, QuicError,
    frames::{self, FrameError, Reader},
    transport,
};
use crate::{
    link::{Identity, Link},
    tls::{ALPN_ADMIN, ALPN_PLANE, Credentials, IdentityError, Peer, peer_of},
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use quinn::{Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::pki_types::CertificateDer;
use shared::wire::{self, Hello, MAX_FRAME_BYTES, MIN_WIRE_VERSION, WIRE_VERSION, Welcome};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout, timeout_at};

/// Addresses tried in one dial: more replicas of a coordinator than anybody runs, times two address families.
const MAX_ADDRESSES: usize = 16;

/// A coordinator's port where none is said.
const DEFAULT_PORT: u16 = 7443;

/// Why nobody was reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No address to try.
    #[error("no address of a coordinator to dial: {0}")]
    NoAddress(String),
    /// Coordinators answered, none of them leads; dial again later.
    #[error("{0} coordinator(s) answered, none leads")]
    NotLeading(usize),
    /// The coordinator closed on purpose: who we are or what we speak does not suit it. Dialling again does not help
    /// until a person changes something.
    #[error("{address} refused us ({close:?}): {why}")]
    Refused {
        /// Which coordinator.
        address: SocketAddr,
        /// Its code.
        close: Close,
        /// Its words.
        why: String,
    },
    /// None of the addresses worked; one line each.
    #[error("no coordinator reached: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// Our own configuration.
    #[error(transparent)]
    Local(#[from] QuicError),
}

/// Why one address did not work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot connect: {0}")]
    Connect(#[from] quinn::ConnectError),
    #[error("{0}")]
    Connection(#[from] quinn::ConnectionError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("it is no coordinator: {0}")]
    Foreign(#[from] IdentityError),
    #[error("it is {0}, no coordinator")]
    NoCoordinator(Identity),
    #[error("it agreed on wire version {0}, which we do not speak")]
    Wire(u16),
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Local(#[from] QuicError),
}

/// Dials with the newest certificates. One per process.
pub struct Client {
    credentials: Arc<Credentials>,
    sockets: Mutex<Sockets>,
    /// The sockets are the caller's, so none is made here.
    given: bool,
}

/// Where dials come from.
#[derive(Clone)]
struct Sockets {
    v4: Endpoint,
    v6: Option<Endpoint>,
    /// Something was dialled from them.
    used: bool,
}

impl Sockets {
    /// Takes free ports.
    fn fresh() -> Result<Self, QuicError> {
        let bind = |ip: IpAddr| {
            let address = SocketAddr::new(ip, 0);
            Endpoint::client(address).map_err(|source| QuicError::Bind { address, source })
        };
        let v4 = bind(Ipv4Addr::UNSPECIFIED.into())?;
        Ok(Self { v4, v6: bind(Ipv6Addr::UNSPECIFIED.into()).ok(), used: false })
    }

    fn of(&self, address: SocketAddr) -> &Endpoint {
        match (address, &self.v6) {
            (SocketAddr::V6(_), Some(v6)) => v6,
            _ => &self.v4,
        }
    }
}

impl Client {
    /// Takes a free port. Without IPv6 on this machine, IPv6 addresses are skipped.
    pub fn new(credentials: Arc<Credentials>) -> Result<Self, QuicError> {
        Ok(Self { credentials, sockets: Mutex::new(Sockets::fresh()?), given: false })
    }

    /// Dials from an endpoint of the caller's making, as [`super::Server::on`] listens on one. IPv4 only.
    pub fn on(endpoint: Endpoint, credentials: Arc<Credentials>) -> Self {
        let sockets = Mutex::new(Sockets { v4: endpoint, v6: None, used: false });
        Self { credentials, sockets, given: true }
    }

    /// Fresh ones for every dial but the first. A load balancer pins a flow to one backend by its source port: from the
    /// port of a dial that failed, or of a link that ended, every other dial may come to the same dead coordinator.
    /// Links that still end on the sockets before keep them.
    fn sockets(&self) -> Sockets {
        let mut kept = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.used && !self.given {
            match Sockets::fresh() {
                Ok(fresh) => *kept = fresh,
                Err(error) => tracing::warn!(%error, "no fresh socket, dialling from the one before"),
            }
        }
        kept.used = true;
        kept.clone()
    }

    /// Dials `servers` (`host:port`, names are resolved anew each time), one address after the other, until a leading
    /// coordinator welcomes us. `limit` bounds the whole; each address gets an equal share of what is left, at most
    /// 5 s. `server_name` is what its certificate must be for; without it, the host that was dialled.
    pub async fn dial_plane(
        &self,
        servers: &[String],
        server_name: Option<&str>,
        hello: &Hello,
        limit: Duration,
    ) -> Result<(Link, Welcome), DialError> {
        let mut not_leading = 0;
        let mut failures = Vec::new();
        let mut refused = None;
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        let sockets = self.sockets();
        for (tried, (address, name)) in targets.iter().enumerate() {
            let share = share(end, targets.len() - tried);
            match within(share, self.greet(sockets.of(*address), *address, name, hello)).await {
                Ok((link, welcome)) if welcome.leading => return Ok((link, welcome)),
                Ok(_) => not_leading += 1,
                Err(failure) => failed(*address, failure, &mut refused, &mut failures),
            }
        }
        match refused {
            Some(refused) => Err(refused),
            None if not_leading > 0 => Err(DialError::NotLeading(not_leading)),
            None => Err(DialError::Unreachable(failures)),
        }
    }

    /// Dials as an admin; the first coordinator that answers will do, it knows who leads.
    pub async fn dial_admin(
        &self,
        servers: &[String],
        server_name: Option<&str>,
        limit: Duration,
    ) -> Result<AdminConnection, DialError> {
        let mut failures = Vec::new();
        let mut refused = None;
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        let sockets = self.sockets();
        for (tried, (address, name)) in targets.iter().enumerate() {
            let share = share(end, targets.len() - tried);
            match within(share, self.connect(sockets.of(*address), *address, name, ALPN_ADMIN)).await {
                Ok((connection, peer)) => return Ok(AdminConnection { connection, peer }),
                Err(failure) => failed(*address, failure, &mut refused, &mut failures),
            }
        }
        Err(refused.unwrap_or(DialError::Unreachable(failures)))
    }

    /// Gives links that were dropped the time to flush, then closes the rest.
    pub async fn shutdown(&self) {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for endpoint in [Some(&sockets.v4), sockets.v6.as_ref()].into_iter().flatten() {
            let _ = timeout(FLUSH_LIMIT, endpoint.wait_idle()).await;
            endpoint.close(Close::Shutdown.code(), b"process ends");
            let _ = timeout(FLUSH_LIMIT, endpoint.wait_idle()).await;
        }
    }

    async fn greet(
        &self,
        from: &Endpoint,
        address: SocketAddr,
        name: &str,
        hello: &Hello,
    ) -> Result<(Link, Welcome), Failure> {
        let (connection, peer) = self.connect(from, address, name, ALPN_PLANE).await?;
        let (send, recv) = connection.open_bi().await?;
        let (mut writer, mut reader) = (frames::writer(send), frames::reader(recv, HELLO_BYTES));
        let frame = Bytes::from(wire::encode(hello).map_err(FrameError::from)?);
        // A refusal shows as a broken stream first; why is in the connection.
        let reason = |error: FrameError| connection.close_reason().map_or(Failure::Frame(error), Failure::Connection);
        writer.send(frame).await.map_err(|error| reason(error.into()))?;
        let frame = frames::read_one(&mut reader).await.map_err(reason)?;
        let welcome: Welcome = wire::decode(&frame).map_err(FrameError::from)?;
        if !(MIN_WIRE_VERSION..=WIRE_VERSION).contains(&welcome.wire) {
            connection.close(Close::WireVersion.code(), b"wire version not understood");
            return Err(Failure::Wire(welcome.wire));
        }
        Ok((frames::link(connection, peer, writer, reader, None), welcome))
    }

    async fn connect(
        &self,
        from: &Endpoint,
        address: SocketAddr,
        name: &str,
        alpn: &[u8],
    ) -> Result<(Connection, Peer), Failure> {
        let material = self.credentials.current();
        let tls = material.client(alpn).map_err(QuicError::from)?;
        let crypto = QuicClientConfig::try_from(tls).map_err(QuicError::from)?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        // A coordinator opens no stream to us.
        config.transport_config(transport(0));
        let connection = from.connect_with(config, address, name)?.await?;
        let chain = connection
            .peer_identity()
            .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok())
            .map(|chain| *chain)
            .unwrap_or_default();
        let peer = peer_of(&chain, &material.trust_domain)?;
        match peer.identity {
            Identity::Coordinator(_) => Ok((connection, peer)),
            Identity::Plane(_) | Identity::Admin(_) => {
                connection.close(Close::Identity.code(), b"not a coordinator");
                Err(Failure::NoCoordinator(peer.identity))
            }
        }
    }
}

/// Keeps what is worth telling: a refusal on purpose over addresses that did not answer.
fn failed(address: SocketAddr, failure: Failure, refused: &mut Option<DialError>, failures: &mut Vec<String>) {
    if let Failure::Connection(error) = &failure
        && let Some(close) = Close::of(error)
        && let quinn::ConnectionError::ApplicationClosed(closed) = error
    {
        let why = String::from_utf8_lossy(&closed.reason).into_owned();
        failures.push(format!("{address}: refused ({close:?}): {why}"));
        refused.get_or_insert(DialError::Refused { address, close, why });
        return;
    }
    failures.push(format!("{address}: {failure}"));
}

fn share(end: Instant, left: usize) -> Duration {
    let remaining = end.saturating_duration_since(Instant::now());
    (remaining / u32::try_from(left.max(1)).unwrap_or(u32::MAX)).min(HELLO_LIMIT)
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(limit, work).await.unwrap_or(Err(Failure::TimedOut))
}

/// Addresses with the name that each must prove, at most [`MAX_ADDRESSES`].
async fn resolve(
    servers: &[String],
    server_name: Option<&str>,
    end: Instant,
) -> Result<Vec<(SocketAddr, String)>, DialError> {
    let end = end.min(Instant::now() + HELLO_LIMIT);
    let mut targets = Vec::new();
    let mut problems = Vec::new();
    for server in servers.iter().take(MAX_ADDRESSES) {
        let Some((host, port)) = host_and_port(server) else {
            problems.push(format!("{server} is no host:port"));
            continue;
        };
        let name = server_name.unwrap_or(&host).to_owned();
        match timeout_at(end, tokio::net::lookup_host((host.as_str(), port))).await {
            Ok(Ok(found)) => targets.extend(found.map(|address| (address, name.clone()))),
            Ok(Err(error)) => problems.push(format!("{server}: {error}")),
            Err(_) => problems.push(format!("{server}: name not resolved in time")),
        }
    }
    targets.truncate(MAX_ADDRESSES);
    if targets.is_empty() { Err(DialError::NoAddress(problems.join("; "))) } else { Ok(targets) }
}

/// Reads `host:port`, `host`, `[v6]:port` and `v6`; brackets and a final dot are no part of the name that is to be proved.
pub(super) fn host_and_port(server: &str) -> Option<(String, u16)> {
    let server = server.trim();
    let whole = server.parse::<Ipv6Addr>().is_ok() || server.ends_with(']');
    let (host, port) = match server.rsplit_once(':').filter(|_| !whole) {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (server, DEFAULT_PORT),
    };
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// An admin's connection. Requests are independent of each other; dropping it flushes nothing, answers were read.
#[derive(Debug)]
pub struct AdminConnection {
    connection: Connection,
    peer: Peer,
}

impl AdminConnection {
    /// Which coordinator answered.
    pub fn coordinator(&self) -> &Identity {
        &self.peer.identity
    }

    /// Asks; the answers come as they are made.
    pub async fn request(&self, body: Bytes) -> Result<Responses, DialError> {
        let asked = async {
            let (send, recv) = self.connection.open_bi().await?;
            let mut writer = frames::writer(send);
            writer.send(body).await.map_err(FrameError::from)?;
            // The request is complete; its end needs no wait, the first answer proves that it came.
            writer.get_mut().finish().map_err(|error| FrameError::Broken(error.into()))?;
            Ok::<_, Failure>(frames::reader(recv, MAX_FRAME_BYTES))
        };
        match within(HELLO_LIMIT, asked).await {
            Ok(reader) => Ok(Responses { reader, connection: self.connection.clone() }),
            Err(failure) => Err(self.explain(failure)),
        }
    }

    fn explain(&self, failure: Failure) -> DialError {
        let failure = self.connection.close_reason().map_or(failure, Failure::Connection);
        let (mut refused, mut failures) = (None, Vec::new());
        failed(self.connection.remote_address(), failure, &mut refused, &mut failures);
        refused.unwrap_or(DialError::Unreachable(failures))
    }
}

impl Drop for AdminConnection {
    fn drop(&mut self) {
        self.connection.close(Close::Done.code(), b"");
    }
}

/// Answers to one request. Dropping it tells the coordinator that nobody listens.
pub struct Responses {
    reader: Reader,
    connection: Connection,
}

impl Responses {
    /// The next answer; `None`: that was all. The caller bounds how long it waits.
    pub async fn next(&mut self) -> Option<Result<Bytes, DialError>> {
        let error = match self.reader.next().await? {
            Ok(frame) => return Some(Ok(frame.freeze())),
            Err(error) => FrameError::from(error),
        };
        let failure = self.connection.close_reason().map_or(Failure::Frame(error), Failure::Connection);
        let (mut refused, mut failures) = (None, Vec::new());
        failed(self.connection.remote_address(), failure, &mut refused, &mut failures);
        Some(Err(refused.unwrap_or(DialError::Unreachable(failures))))
    }
}
