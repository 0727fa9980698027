//! The dialling side: a plane's link to the coordinator that leads, and an admin's requests.

mod addresses;
mod admin;
mod believed;
mod open_links;
mod outcome;
mod over_tcp;
mod silence;

#[cfg(test)]
pub(super) use addresses::host_and_port;
pub use admin::{AdminConnection, Responses};
pub use outcome::DialError;
#[cfg(test)]
pub(super) use silence::look;

use super::{
    Close, FLUSH_LIMIT, HELLO_BYTES, QuicError,
    frames::{self, FrameError},
    transport,
};
use crate::{
    expiry::Expiry,
    link::{Identity, Link},
    tls::{ALPN_ADMIN, ALPN_PLANE, Credentials, Distrust, RELOAD_EVERY, peer_of},
};
use addresses::{resolve, share};
use believed::Linked;
pub(super) use believed::Reached;
use bytes::Bytes;
use futures::SinkExt;
use open_links::OpenLinks;
pub(super) use outcome::Failure;
use outcome::{Tally, within};
use quinn::{Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::pki_types::CertificateDer;
use shared::wire::{self, Hello, MIN_WIRE_VERSION, WIRE_VERSION, Welcome};
use silence::Silences;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// Dials with the newest certificates. One per process.
pub struct Client {
    credentials: Arc<Credentials>,
    distrusted: watch::Sender<Option<Distrust>>,
    linked: watch::Sender<Option<Linked>>,
    /// Over TCP.
    links: OpenLinks,
    shown: Mutex<(String, Instant)>,
    sockets: Mutex<Sockets>,
    silences: Silences,
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
            Endpoint::client(address).map_err(|source| QuicError::Bind { protocol: "udp", address, source })
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

/// How a plane dials.
enum Way {
    Quic(Sockets),
    Tcp,
}

impl Client {
    /// Takes a free port. Without IPv6 on this machine, IPv6 addresses are skipped.
    pub fn new(credentials: Arc<Credentials>) -> Result<Self, QuicError> {
        Ok(Self::with(credentials, Sockets::fresh()?, false))
    }

    /// Dials from an endpoint of the caller's making, as [`super::Server::on`] listens on one. IPv4 only.
    pub fn on(endpoint: Endpoint, credentials: Arc<Credentials>) -> Self {
        Self::with(credentials, Sockets { v4: endpoint, v6: None, used: false }, true)
    }

    fn with(credentials: Arc<Credentials>, sockets: Sockets, given: bool) -> Self {
        Self {
            shown: Mutex::new((String::new(), Instant::now())),
            credentials,
            distrusted: watch::Sender::new(None),
            linked: watch::Sender::new(None),
            links: OpenLinks::default(),
            sockets: Mutex::new(sockets),
            silences: Silences::default(),
            given,
        }
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
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        match self.first_that_leads(&targets, end, &Way::Quic(self.sockets()), hello).await {
            Ok(welcomed) => Ok(welcomed),
            Err(tally) => Err(self.explained(tally).await),
        }
    }

    /// One address after the other; or what became of all of them.
    async fn first_that_leads(
        &self,
        targets: &[(SocketAddr, String)],
        end: Instant,
        way: &Way,
        hello: &Hello,
    ) -> Result<(Link, Welcome), Tally> {
        let mut tally = Tally::default();
        for (tried, (address, name)) in targets.iter().enumerate() {
            let greeted = async {
                match way {
                    Way::Quic(sockets) => self.greet(sockets.of(*address), *address, name, hello).await,
                    Way::Tcp => self.greet_over_tcp(*address, name, hello).await,
                }
            };
            match within(share(end, targets.len() - tried), greeted).await {
                Ok(Some(welcomed)) => {
                    self.distrusted.send_replace(None);
                    return Ok(welcomed);
                }
                Ok(None) => tally.not_leading += 1,
                Err(failure) => tally.failed(*address, failure),
            }
        }
        Err(tally)
    }

    /// What a dial came to, and of addresses that were silent, why.
    async fn explained(&self, mut tally: Tally) -> DialError {
        // Somebody else's sockets may lead where ours do not.
        if !self.given && tally.nobody_answered() {
            let lines = self.silences.explain(&tally.silent).await;
            tally.explained(lines);
        }
        tally.error()
    }

    /// Dials as an admin; the first coordinator that answers will do, it knows who leads.
    pub async fn dial_admin(
        &self,
        servers: &[String],
        server_name: Option<&str>,
        limit: Duration,
    ) -> Result<AdminConnection, DialError> {
        let mut tally = Tally::default();
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        let sockets = self.sockets();
        for (tried, (address, name)) in targets.iter().enumerate() {
            let share = share(end, targets.len() - tried);
            match within(share, self.connect(sockets.of(*address), *address, name, ALPN_ADMIN)).await {
                Ok((connection, reached)) => return Ok(AdminConnection { connection, peer: reached.peer }),
                Err(failure) => tally.failed(*address, failure),
            }
        }
        Err(self.explained(tally).await)
    }

    /// The last coordinator whose certificate was not believed, when it was dialled or under an open link; `None` again
    /// once a plane is welcomed.
    pub fn distrusted(&self) -> watch::Receiver<Option<Distrust>> {
        self.distrusted.subscribe()
    }

    /// Ends when a new link would be better than the one that was dialled last: our certificate was renewed since, or the
    /// coordinator's is near its end and it was not asked for a newer one for a while.
    pub async fn outdated(&self) {
        let mut changes = self.credentials.subscribe();
        loop {
            let (serial, at) = self.shown();
            let now = self.credentials.now();
            let ending = self.linked.borrow().as_ref().is_some_and(|one| one.wants_a_look(now, at.elapsed()));
            if serial != self.credentials.current().us.serial || ending {
                return;
            }
            // A time-out is the slow tick; the sender cannot be gone, we hold the credentials.
            let _ = timeout(RELOAD_EVERY, changes.changed()).await;
        }
    }

    /// Serial of ours that the last dial showed, and when.
    fn shown(&self) -> (String, Instant) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The coordinator that the newest link goes to, while it is open, and when its certificate ends.
    pub fn linked(&self) -> impl Fn() -> Option<Expiry> + Send + Sync + use<> {
        let linked = self.linked.subscribe();
        move || linked.borrow().as_ref().map(|one| one.end.clone())
    }

    /// Gives links that were dropped the time to flush, then closes the rest.
    pub async fn shutdown(&self) {
        self.links.over().await;
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for endpoint in [Some(&sockets.v4), sockets.v6.as_ref()].into_iter().flatten() {
            let _ = timeout(FLUSH_LIMIT, endpoint.wait_idle()).await;
            endpoint.close(Close::Shutdown.code(), b"process ends");
            let _ = timeout(FLUSH_LIMIT, endpoint.wait_idle()).await;
        }
    }

    /// `None`: it does not lead.
    async fn greet(
        &self,
        from: &Endpoint,
        address: SocketAddr,
        name: &str,
        hello: &Hello,
    ) -> Result<Option<(Link, Welcome)>, Failure> {
        self.shows();
        let (connection, reached) = self.connect(from, address, name, ALPN_PLANE).await?;
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
        if welcome.leading {
            self.keep(reached.clone());
        }
        let link = frames::link(connection, reached.peer, writer, reader, None);
        Ok(welcome.leading.then_some((link, welcome)))
    }

    /// Until the link is over: judged by newer certificates, and known as the one that is open.
    fn keep(&self, reached: Reached) {
        believed::keep(reached, self.credentials.clone(), self.distrusted.clone(), self.linked.clone());
    }

    /// A plane is about to show the present certificate.
    fn shows(&self) {
        let serial = self.credentials.current().us.serial.clone();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = (serial, Instant::now());
    }

    async fn connect(
        &self,
        from: &Endpoint,
        address: SocketAddr,
        name: &str,
        alpn: &[u8],
    ) -> Result<(Connection, Reached), Failure> {
        let material = self.credentials.current();
        let (tls, kept) = material.client(alpn).map_err(QuicError::from)?;
        let crypto = QuicClientConfig::try_from(tls).map_err(QuicError::from)?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        // A coordinator opens no stream to us.
        config.transport_config(transport(0));
        let connected = from.connect_with(config, address, name)?.await;
        let connection = connected.map_err(|error| match kept.get() {
            Some(distrust) => {
                self.distrusted.send_replace(Some(distrust.clone()));
                Failure::Distrusted(distrust.clone())
            }
            None => Failure::Connection(error),
        })?;
        let chain = connection
            .peer_identity()
            .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok())
            .map(|chain| *chain)
            .unwrap_or_default();
        let peer = peer_of(&chain, &material.names)?;
        match peer.identity {
            Identity::Coordinator(_) => {
                let ends = Arc::new(connection.clone());
                Ok((connection, Reached { connection: ends, peer, chain, name: name.to_owned() }))
            }
            Identity::Plane(_) | Identity::Admin(_) | Identity::Operator(_) | Identity::Viewer(_) => {
                connection.close(Close::Identity.code(), b"not a coordinator");
                Err(Failure::NoCoordinator(peer.identity))
            }
        }
    }
}
