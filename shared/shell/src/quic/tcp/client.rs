//! The dialling side: a TLS stream to a coordinator that proved itself.

use super::stream::{Ending, Said, Stream};
use crate::{
    link::Identity,
    quic::{
        Close, HELLO_BYTES,
        client::{Failure, Reached},
        frames::FrameError,
    },
    tls::{ALPN_PLANE, Material, peer_of},
};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use shared::wire::{self, Hello, MIN_WIRE_VERSION, WIRE_VERSION, Welcome};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Says `Hello` and hears `Welcome`.
pub(in crate::quic) async fn connect(
    material: &Material,
    address: SocketAddr,
    name: &str,
    hello: &Hello,
) -> Result<(Reached, Ending, Stream, Welcome), Failure> {
    let (tls, kept) = material.client(ALPN_PLANE).map_err(crate::quic::QuicError::from)?;
    let to = ServerName::try_from(name.to_owned()).map_err(|_| Failure::Name(name.to_owned()))?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let distrusted = |error| kept.get().map_or(Failure::Tcp(error), |distrust| Failure::Distrusted(distrust.clone()));
    let stream = TlsConnector::from(Arc::new(tls)).connect(to, stream).await.map_err(distrusted)?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain: Vec<_> = chain.iter().map(|one| one.clone().into_owned()).collect();
    let peer = peer_of(&chain, &material.names)?;
    let mut stream = Stream::new(stream.into(), HELLO_BYTES);
    if !matches!(peer.identity, Identity::Coordinator(_)) {
        stream.part(Close::Identity, "not a coordinator").await;
        return Err(Failure::NoCoordinator(peer.identity));
    }
    let _ = stream.say(Bytes::from(wire::encode(hello).map_err(FrameError::from)?)).await;
    // A server that does not believe us says so after its side of the handshake: why is heard, whatever became of what we said.
    let welcome: Welcome = match stream.hear().await.map_err(broken)? {
        Said::Frame(frame) => wire::decode(&frame).map_err(FrameError::from)?,
        Said::Farewell(close, why) => return Err(Failure::Closed(close, why)),
        Said::KeepAlive => return Err(FrameError::Ended.into()),
    };
    if !(MIN_WIRE_VERSION..=WIRE_VERSION).contains(&welcome.wire) {
        stream.part(Close::WireVersion, "wire version not understood").await;
        return Err(Failure::Wire(welcome.wire));
    }
    let ending = Ending::new();
    let reached = Reached { connection: Arc::new(ending.clone()), peer, chain, name: name.to_owned() };
    Ok((reached, ending, stream, welcome))
}

/// With what TLS said.
fn broken(error: FrameError) -> Failure {
    match error {
        FrameError::Broken(error) => Failure::Tcp(error),
        error => Failure::Frame(error),
    }
}
