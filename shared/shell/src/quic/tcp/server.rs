//! The listening side. Turns, places and bounds are those of QUIC, together.

use super::stream::{Ending, Said, Stream, link};
use crate::{
    link::{Identity, Link},
    quic::{
        Close, FLUSH_LIMIT, HELLO_BYTES, HELLO_LIMIT,
        admission::{Admission, Place},
        ends::Ends,
        incoming::{Door, Incoming, PlaneIncoming, understood},
        turns::Source,
    },
    tls::{ALPN_PLANE, Credentials, Material, Peer, peer_of},
};
use bytes::Bytes;
use shared::wire::{self, Hello};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;

/// After an accept that failed: too many open files pass by themselves.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs until the endpoint that takes arrivals is gone.
pub(in crate::quic) async fn listen(
    listener: std::net::TcpListener,
    admission: Admission,
    credentials: Arc<Credentials>,
    arrivals: mpsc::WeakSender<Incoming>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "nobody is let in over TCP"),
    };
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a TCP connection was not accepted");
                sleep(AGAIN).await;
                continue;
            }
        };
        let Some(turn) = admission.turns().queue(Source::of(from)) else {
            admission.too_busy(from, "too many wait for their handshake, or too many of this source");
            continue;
        };
        let (admission, arrivals, credentials) = (admission.clone(), arrivals.clone(), credentials.clone());
        tokio::spawn(async move {
            let Ok(Ok(turn)) = timeout(HELLO_LIMIT, turn).await else {
                return admission.too_busy(from, "it has waited for its handshake until nobody waits for it");
            };
            let let_in = greet(stream, &admission, &credentials.current()).await;
            drop(turn);
            match (let_in, arrivals.upgrade()) {
                (Ok(plane), Some(arrivals)) => {
                    admission.count(|counts| counts.let_in += 1);
                    let _ = timeout(HELLO_LIMIT, arrivals.send(Incoming::Plane(plane))).await;
                }
                (Ok(plane), None) => plane.refuse("coordinator ends"),
                (Err(error), _) => admission.not_let_in(from, &error),
            }
        });
    }
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("TLS handshake over TCP failed")]
    Handshake(#[from] io::Error),
    #[error("no Hello over TCP within {HELLO_LIMIT:?}")]
    Late,
    #[error("over TCP: {1}")]
    Closed(Close, String),
}

async fn greet(stream: TcpStream, admission: &Admission, material: &Material) -> Result<PlaneIncoming, Refusal> {
    let end = tokio::time::Instant::now() + HELLO_LIMIT;
    stream.set_nodelay(true)?;
    let tls = material.server(&[ALPN_PLANE]).map_err(|error| Refusal::Closed(Close::Protocol, error.to_string()))?;
    let accepting = TlsAcceptor::from(Arc::new(tls)).accept(stream);
    let tls = timeout_at(end, accepting).await.map_err(|_| Refusal::Late)??;
    let session = tls.get_ref().1;
    let chain: Vec<_> =
        session.peer_certificates().unwrap_or_default().iter().map(|one| one.clone().into_owned()).collect();
    let alpn = session.alpn_protocol().unwrap_or_default().to_vec();
    let mut stream = Stream::new(tls.into(), HELLO_BYTES);
    let ending = Ending::new();
    let said = async {
        let peer = prove(&chain, &alpn, material)?;
        let full = || (Close::Busy, format!("too many sessions for {}", peer.identity));
        let place = admission.admit(&peer, chain, Arc::new(ending.clone())).ok_or_else(full)?;
        let heard =
            timeout_at(end, stream.hear()).await.map_err(|_| (Close::HelloTimeout, "no Hello in time".to_owned()))?;
        let protocol = |error: String| (Close::Protocol, format!("no Hello: {error}"));
        let frame = match heard.map_err(|error| protocol(error.to_string()))? {
            Said::Frame(frame) => frame,
            Said::KeepAlive | Said::Farewell(..) => return Err(protocol("the peer has left".to_owned())),
        };
        let hello: Hello = wire::decode(&frame).map_err(|error| protocol(error.to_string()))?;
        let wire = understood(peer.identity.name(), &hello)?;
        Ok((peer, place, hello, wire))
    };
    match said.await {
        Ok((peer, place, hello, wire)) => {
            Ok(PlaneIncoming::new(peer, hello, wire, Box::new(Open { stream, ending, place })))
        }
        Err((close, why)) => {
            tokio::spawn({
                let why = why.clone();
                async move { stream.part(close, &why).await }
            });
            Err(Refusal::Closed(close, why))
        }
    }
}

/// Who is there; only planes come this way.
fn prove(
    chain: &[rustls::pki_types::CertificateDer<'_>],
    alpn: &[u8],
    material: &Material,
) -> Result<Peer, (Close, String)> {
    let peer = peer_of(chain, &material.names).map_err(|error| (Close::Identity, error.to_string()))?;
    match (&peer.identity, alpn) {
        (Identity::Plane(_), ALPN_PLANE) => Ok(peer),
        (identity, _) => {
            Err((Close::Identity, format!("{identity} may not speak {} over TCP", String::from_utf8_lossy(alpn))))
        }
    }
}

/// A plane that has said `Hello`.
struct Open {
    stream: Stream,
    ending: Ending,
    place: Place,
}

impl Open {
    fn part(self, close: Close, why: String) {
        tokio::spawn(async move {
            let Self { stream, place, .. } = self;
            stream.part(close, &why).await;
            drop(place);
        });
    }
}

impl Door for Open {
    fn link(self: Box<Self>, peer: Peer, welcome: Bytes) -> Link {
        let Self { stream, ending, place } = *self;
        tracing::info!(peer = %peer.identity, "a plane is linked over TCP");
        link(stream, &ending, peer, Some(welcome), place)
    }

    fn turn_away(mut self: Box<Self>, answer: Bytes) {
        tokio::spawn(async move {
            if matches!(timeout(FLUSH_LIMIT, self.stream.say(answer)).await, Ok(Ok(()))) {
                self.part(Close::Done, "not leading".to_owned());
            }
        });
    }

    fn refuse(self: Box<Self>, why: &str) {
        self.ending.end(Close::Refused, why);
        self.part(Close::Refused, why.to_owned());
    }
}
