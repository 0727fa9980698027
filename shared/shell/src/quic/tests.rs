//! Loopback, real time, throw-away certificates: the few tests that need sockets. Waits are upper bounds only.

use super::*;
use crate::{
    link::{Identity, Link},
    pki::{self, Kind},
    tls::{ALPN_ADMIN, ALPN_PLANE, Credentials, TlsFiles},
};
use bytes::Bytes;
use quinn::{Connection, Endpoint, crypto::rustls::QuicClientConfig};
use shared::{
    ids::PlaneId,
    wire::{self, Hello, MAX_FRAME_BYTES, WIRE_VERSION, Welcome},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

mod balancer;
mod certificates;
mod limits;
mod mesh;
mod planes;
mod rotation;
mod silence;
mod tcp;

const TRUST: &str = "test";
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn authority() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    pki::init(dir.path(), TRUST).unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    pki::issue(dir.path(), Kind::Coordinator, "c", &names).unwrap();
    for plane in ["a", "b"] {
        pki::issue(dir.path(), Kind::Plane, plane, &[]).unwrap();
    }
    for kind in [Kind::Admin, Kind::Operator, Kind::Viewer] {
        pki::issue(dir.path(), kind, "ann", &[]).unwrap();
    }
    dir
}

fn files(dir: &Path, who: &str) -> TlsFiles {
    TlsFiles {
        ca: dir.join("ca.crt"),
        cert: dir.join(format!("{who}.crt")),
        key: dir.join(format!("{who}.key")),
        crl: Some(dir.join("crl.pem")),
        trust_domain: TRUST.to_owned(),
        identities: Vec::new(),
    }
}

struct World {
    dir: tempfile::TempDir,
    credentials: Arc<Credentials>,
    server: Server,
    at: SocketAddr,
}

fn world() -> World {
    world_with(Limits::default())
}

fn world_with(limits: Limits) -> World {
    let dir = authority();
    let credentials = Credentials::load(files(dir.path(), "coordinator-c")).unwrap();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), &credentials, limits).unwrap();
    let at = server.local_addr().unwrap();
    World { dir, credentials, server, at }
}

fn hello(plane: &str) -> Hello {
    Hello::plain("test", PlaneId::from(plane), "1")
}

fn welcome(leading: bool) -> Welcome {
    Welcome { wire: WIRE_VERSION, version: "test".to_owned(), generation: 1, leading }
}

impl World {
    fn client(&self, who: &str) -> Client {
        Client::new(Credentials::load(files(self.dir.path(), who)).unwrap()).unwrap()
    }

    fn servers(&self) -> Vec<String> {
        vec![self.at.to_string()]
    }

    async fn arrival(&mut self) -> Incoming {
        timeout(LONG, self.server.accept()).await.unwrap().unwrap()
    }

    async fn plane_arrival(&mut self) -> PlaneIncoming {
        match self.arrival().await {
            Incoming::Plane(plane) => plane,
            Incoming::Admin(request) => panic!("{request:?}"),
        }
    }

    /// Both ends of a link of this plane.
    async fn linked(&mut self, client: &Client, plane: &str) -> (Link, Link) {
        let (servers, hello) = (self.servers(), hello(plane));
        let dial = client.dial_plane(&servers, None, &hello, LONG);
        let accept = async { self.plane_arrival().await.accept(&welcome(true)).unwrap() };
        let (dialled, accepted) = tokio::join!(dial, accept);
        (dialled.unwrap().0, accepted)
    }

    /// Nobody is let in, and nothing of the attempt stays.
    async fn assert_nobody_came(&mut self) {
        assert!(timeout(Duration::from_millis(300), self.server.accept()).await.is_err());
        assert_eq!(self.server.monitor().sessions(), 0);
    }

    /// A connection below our own client, for what a well-behaved one never does.
    async fn raw(&self, who: &str, alpn: &[u8]) -> Result<(Endpoint, Connection), quinn::ConnectionError> {
        let material = Credentials::load(files(self.dir.path(), who)).unwrap().current();
        raw_with(material.client(alpn).unwrap().0, self.at).await
    }
}

async fn raw_with(tls: rustls::ClientConfig, at: SocketAddr) -> Result<(Endpoint, Connection), quinn::ConnectionError> {
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let connection = endpoint.connect_with(config, at, "localhost").unwrap().await?;
    Ok((endpoint, connection))
}

async fn closed(connection: &Connection) -> quinn::ConnectionError {
    timeout(LONG, connection.closed()).await.unwrap()
}

async fn next(link: &mut Link) -> Option<Bytes> {
    timeout(LONG, link.rx.recv()).await.unwrap()
}
