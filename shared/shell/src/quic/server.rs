//! The listening side: from a first packet to a plane's `Hello` or an admin's request. Who may lead, and which
//! generation a session has, is the coordinator's to decide; here it is only proven who speaks.

use super::{
    Close, FLUSH_LIMIT, HELLO_BYTES, HELLO_LIMIT, QuicError,
    admission::{Admission, Limits, Monitor, Place},
    frames::{self, FrameError, Writer},
    incoming::{AdminRequest, Incoming, Open, PlaneIncoming, QUESTION_BYTES, understood},
    tcp, transport,
    turns::{Source, Turn},
};
use crate::{
    link::Identity,
    tls::{ALPN_ADMIN, ALPN_PLANE, Credentials, Material, Peer, RELOAD_EVERY, peer_of},
};
use futures::SinkExt;
use quinn::{
    Connection, Endpoint, EndpointConfig,
    crypto::rustls::{HandshakeData, QuicServerConfig},
};
use rustls::pki_types::CertificateDer;
use shared::wire::{self, Hello};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};

/// Arrivals that the coordinator has not yet taken. Each is bounded by the admission limits; a burst of planes after a
/// restart waits here, or in QUIC.
const ARRIVALS: usize = 64;
/// Response frames that may wait for a slow console before the request's worker has to wait.
const RESPONSES: usize = 16;

/// Of one dial that waits for its handshake.
const EARLY_BYTES: u64 = 16 * 1024;

/// A listening endpoint for planes and admins. Dropping it closes every connection.
pub struct Server {
    endpoint: Endpoint,
    arrivals: mpsc::Receiver<Incoming>,
    /// Where those go that come over TCP, as long as this endpoint lives.
    also: mpsc::WeakSender<Incoming>,
    admission: Admission,
    tasks: Vec<AbortHandle>,
}

impl Server {
    /// Takes the port and starts to let in whoever proves itself. Certificates are followed as
    /// `credentials` changes; its owner spawns [`Credentials::keep_fresh`] once per process.
    pub fn bind(address: SocketAddr, credentials: &Arc<Credentials>, limits: Limits) -> Result<Self, QuicError> {
        let config = server_config(&credentials.current(), &limits)?;
        let bind = |source| QuicError::Bind { protocol: "udp", address, source };
        let socket = crate::listen::udp(address).map_err(bind)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime).map_err(bind)?;
        Ok(Self::start(endpoint, credentials, limits))
    }

    /// The same on an endpoint of the caller's making, over any socket and clock that quinn can abstract from: this is
    /// how the real stack runs over a simulated network. What `endpoint` served before is replaced.
    pub fn on(endpoint: Endpoint, credentials: &Arc<Credentials>, limits: Limits) -> Result<Self, QuicError> {
        endpoint.set_server_config(Some(server_config(&credentials.current(), &limits)?));
        Ok(Self::start(endpoint, credentials, limits))
    }

    fn start(endpoint: Endpoint, credentials: &Arc<Credentials>, limits: Limits) -> Self {
        let admission = Admission::new(limits);
        let (sender, arrivals) = mpsc::channel(ARRIVALS);
        let also = sender.downgrade();
        let tasks = vec![
            tokio::spawn(listen(endpoint.clone(), admission.clone(), credentials.clone(), sender)).abort_handle(),
            tokio::spawn(follow(endpoint.clone(), admission.clone(), credentials.clone())).abort_handle(),
        ];
        Self { endpoint, arrivals, also, admission, tasks }
    }

    /// Lets planes in over TCP as well, with the same certificates, places and bounds. Returns where.
    pub fn also_over_tcp(
        &mut self,
        address: SocketAddr,
        credentials: &Arc<Credentials>,
    ) -> Result<SocketAddr, QuicError> {
        let bind = |source| QuicError::Bind { protocol: "tcp", address, source };
        let listener = crate::listen::tcp(address).map_err(bind)?;
        let at = listener.local_addr().map_err(bind)?;
        let listening = tcp::listen(listener, self.admission.clone(), credentials.clone(), self.also.clone());
        self.tasks.push(tokio::spawn(listening).abort_handle());
        Ok(at)
    }

    /// Where it listens (the port, when 0 was asked for).
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The next plane or request. `None`: the endpoint is closed.
    pub async fn accept(&mut self) -> Option<Incoming> {
        self.arrivals.recv().await
    }

    /// Looks at the sessions from elsewhere: metrics, readiness.
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.admission.clone())
    }

    /// Lets nobody in any more, gives links that were dropped the time to flush, then closes.
    pub async fn shutdown(self) {
        self.endpoint.set_server_config(None);
        let _ = timeout(FLUSH_LIMIT, self.endpoint.wait_idle()).await;
        self.endpoint.close(Close::Shutdown.code(), b"coordinator ends");
        let _ = timeout(FLUSH_LIMIT, self.endpoint.wait_idle()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.admission.end_all();
        self.endpoint.close(Close::Shutdown.code(), b"coordinator ends");
    }
}

fn server_config(material: &Material, limits: &Limits) -> Result<quinn::ServerConfig, QuicError> {
    let tls = material.server(&[ALPN_PLANE, ALPN_ADMIN])?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    // One stream until it is known who speaks; admins then get more.
    config.transport_config(transport(1));
    // Who speaks is proven by a certificate, not by an address: a plane whose source port is changed on its way (a NAT
    // that forgot the flow) keeps its session. quinn proves the new path before it uses it.
    config.migration(true);
    config.max_incoming(limits.handshakes.saturating_add(limits.waiting));
    // What comes of a dial before its turn: its first packets, and the same again.
    config.incoming_buffer_size(EARLY_BYTES);
    Ok(config)
}

/// Follows the certificate files: new connections use them, open ones are judged by them. Judged also without a change,
/// because certificates expire.
async fn follow(endpoint: Endpoint, admission: Admission, credentials: Arc<Credentials>) {
    let mut changes = credentials.subscribe();
    loop {
        // A time-out is the slow tick; the sender cannot be gone, we hold the credentials.
        let changed = timeout(RELOAD_EVERY, changes.changed()).await.is_ok();
        let material = credentials.current();
        if changed {
            match server_config(&material, admission.limits()) {
                Ok(config) => endpoint.set_server_config(Some(config)),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "new certificates cannot be served, the ones before stay in use");
                }
            }
        }
        admission.judge(&material, changed).await;
    }
}

async fn listen(
    endpoint: Endpoint,
    admission: Admission,
    credentials: Arc<Credentials>,
    arrivals: mpsc::Sender<Incoming>,
) {
    let turns = admission.turns().clone();
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address();
        // Those that wait are counted, too: a burst is here before the first of them has its turn.
        if turns.taken() >= admission.limits().retry_above
            && !incoming.remote_address_validated()
            && incoming.may_retry()
        {
            // Fails only for what cannot be retried, which was asked above.
            let _ = incoming.retry();
            admission.count(|counts| counts.retried += 1);
            continue;
        }
        let Some(turn) = turns.queue(Source::of(from)) else {
            incoming.refuse();
            admission.too_busy(from, "too many wait for their handshake, or too many of this source");
            continue;
        };
        let (admission, arrivals, credentials) = (admission.clone(), arrivals.clone(), credentials.clone());
        tokio::spawn(async move {
            let Ok(Ok(turn)) = timeout(HELLO_LIMIT, turn).await else {
                incoming.ignore();
                admission.too_busy(from, "it has waited for its handshake until nobody waits for it");
                return;
            };
            let material = credentials.current();
            if let Err(error) = serve(incoming, turn, &admission, &material, &arrivals).await
                && !error.was_a_look()
            {
                admission.not_let_in(from, &error);
            }
        });
    }
}

/// Why somebody was not let in. Told to the peer as a close code, logged here.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("handshake failed")]
    Handshake(#[from] quinn::ConnectionError),
    #[error("{1}")]
    Closed(Close, String),
}

impl Refusal {
    /// A plane that is linked over TCP wants to know whether it could be over QUIC, and says no more.
    fn was_a_look(&self) -> bool {
        matches!(self, Self::Handshake(error) if Close::of(error) == Some(Close::Done))
    }

    /// Tells the peer, where there is one to tell.
    fn tell(self, connection: &Connection) -> Self {
        if let Self::Closed(close, why) = &self {
            connection.close(close.code(), why.as_bytes());
        }
        self
    }
}

async fn serve(
    incoming: quinn::Incoming,
    turn: Turn,
    admission: &Admission,
    material: &Material,
    arrivals: &mpsc::Sender<Incoming>,
) -> Result<(), Refusal> {
    let connecting = incoming.accept()?;
    // One limit for all of it, or who stalls twice would have its place for twice as long.
    let end = Instant::now() + HELLO_LIMIT;
    let connection = timeout_at(end, connecting)
        .await
        .map_err(|_| Refusal::Closed(Close::HelloTimeout, "TLS handshake took too long".to_owned()))??;
    let (peer, chain) = prove(&connection, material).map_err(|refusal| refusal.tell(&connection))?;
    let place = admission.admit(&peer, chain, Arc::new(connection.clone())).ok_or_else(|| {
        Refusal::Closed(Close::Busy, format!("too many sessions for {}", peer.identity)).tell(&connection)
    })?;
    match &peer.identity {
        Identity::Plane(name) => {
            let name = name.clone();
            let plane =
                greet(&connection, &name, (peer, place), end).await.map_err(|refusal| refusal.tell(&connection))?;
            drop(turn);
            admission.count(|counts| counts.let_in += 1);
            // The coordinator's mailbox decides how fast arrivals are taken; who waits too long has gone by itself.
            let _ = timeout(HELLO_LIMIT, arrivals.send(Incoming::Plane(plane))).await;
        }
        Identity::Admin(_) | Identity::Operator(_) | Identity::Viewer(_) | Identity::Coordinator(_) => {
            drop(turn);
            connection.set_max_concurrent_bi_streams(admission.limits().requests_per_admin.into());
            requests(&connection, &peer.identity, admission.limits().requests_per_admin, arrivals).await;
            drop(place);
        }
    }
    Ok(())
}

/// Who is there, and whether its kind may speak what was agreed.
fn prove(connection: &Connection, material: &Material) -> Result<(Peer, Vec<CertificateDer<'static>>), Refusal> {
    let chain = connection
        .peer_identity()
        .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok())
        .map(|chain| *chain)
        .unwrap_or_default();
    let peer = peer_of(&chain, &material.names).map_err(|error| Refusal::Closed(Close::Identity, error.to_string()))?;
    let alpn = connection
        .handshake_data()
        .and_then(|any| any.downcast::<HandshakeData>().ok())
        .and_then(|data| data.protocol)
        .unwrap_or_default();
    match (&peer.identity, alpn.as_slice()) {
        (Identity::Plane(_), ALPN_PLANE) => Ok((peer, chain)),
        (identity, ALPN_ADMIN) if identity.role().is_some() => Ok((peer, chain)),
        (identity, _) => Err(Refusal::Closed(
            Close::Identity,
            format!("{identity} may not speak {}", String::from_utf8_lossy(&alpn)),
        )),
    }
}

/// A plane's first stream and frame.
async fn greet(
    connection: &Connection,
    name: &str,
    (peer, place): (Peer, Place),
    end: Instant,
) -> Result<PlaneIncoming, Refusal> {
    let protocol = |error: FrameError| Refusal::Closed(Close::Protocol, format!("no Hello: {error}"));
    let hello = async {
        let (send, recv) = connection.accept_bi().await?;
        let mut reader = frames::reader(recv, HELLO_BYTES);
        let frame = frames::read_one(&mut reader).await.map_err(protocol)?;
        let hello: Hello = wire::decode(&frame).map_err(|error| protocol(error.into()))?;
        Ok::<_, Refusal>((frames::writer(send), reader, hello))
    };
    let (writer, reader, hello) = timeout_at(end, hello).await.map_err(|_| {
        Refusal::Closed(Close::HelloTimeout, format!("no Hello within {HELLO_LIMIT:?} of the first packet"))
    })??;
    let wire = understood(name, &hello).map_err(|(close, why)| Refusal::Closed(close, why))?;
    let open = Open { connection: connection.clone(), writer, reader, place };
    Ok(PlaneIncoming::new(peer, hello, wire, Box::new(open)))
}

/// An admin's requests, each on a stream of its own; QUIC bounds how many there are.
async fn requests(connection: &Connection, identity: &Identity, limit: u32, arrivals: &mpsc::Sender<Incoming>) {
    let mut under_way = JoinSet::new();
    // Ends when the connection does.
    while let Ok((send, recv)) = connection.accept_bi().await {
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= limit as usize {
            under_way.join_next().await;
        }
        under_way.spawn(request(identity.clone(), frames::writer(send), recv, arrivals.clone()));
    }
}

async fn request(identity: Identity, mut writer: Writer, recv: quinn::RecvStream, arrivals: mpsc::Sender<Incoming>) {
    let mut reader = frames::reader(recv, QUESTION_BYTES);
    let Ok(Ok(body)) = timeout(HELLO_LIMIT, frames::read_one(&mut reader)).await else {
        let _ = reader.get_mut().stop(Close::Protocol.code());
        let _ = writer.get_mut().reset(Close::Protocol.code());
        return;
    };
    let (reply, mut responses) = mpsc::channel(RESPONSES);
    let asked = Incoming::Admin(AdminRequest { identity, body, reply });
    if !matches!(timeout(HELLO_LIMIT, arrivals.send(asked)).await, Ok(Ok(()))) {
        let _ = writer.get_mut().reset(Close::Busy.code());
        return;
    }
    let gone = writer.get_ref().stopped();
    tokio::pin!(gone);
    loop {
        let frame = tokio::select! {
            biased;
            _ = &mut gone => return,
            frame = responses.recv() => frame,
        };
        let Some(frame) = frame else { break };
        if writer.send(frame).await.is_err() {
            let _ = writer.get_mut().reset(Close::Protocol.code());
            return;
        }
    }
    frames::finish(writer).await;
}
