//! The way to the coordinator over QUIC.

use crate::ports::{Dialer, PortError};
use async_trait::async_trait;
use shared::{
    ids::PlaneId,
    wire::{Hello, WIRE_VERSION},
};
use shell::{link::Link, quic::Client};
use std::time::Duration;

/// One dial over all addresses. The plane's own lease is 15 s; a dial that takes longer than a third of it helps nobody.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Dials whichever coordinator leads.
pub struct QuicDialer {
    client: Client,
    servers: Vec<String>,
    server_name: Option<String>,
    hello: Hello,
}

impl QuicDialer {
    /// `servers`: `host:port`, tried in order. `server_name`: name in their certificates, if not the host dialled.
    pub fn new(client: Client, servers: Vec<String>, server_name: Option<String>, plane: PlaneId) -> Self {
        let hello = Hello {
            wire: WIRE_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plane,
            boot: uuid::Uuid::new_v4().to_string(),
            verifies: true,
            scans: true,
            divides: true,
            unpacks: true,
        };
        Self { client, servers, server_name, hello }
    }
}

#[async_trait]
impl Dialer for QuicDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        let name = self.server_name.as_deref();
        match self.client.dial_plane(&self.servers, name, &self.hello, DIAL_LIMIT).await {
            Ok((link, welcome)) => {
                tracing::info!(coordinator = welcome.version, session = welcome.generation, "connected to coordinator");
                Ok(link)
            }
            Err(error) => Err(PortError::Unavailable(error.to_string())),
        }
    }

    async fn outdated(&self) {
        self.client.outdated().await;
    }

    async fn close(&self) {
        self.client.shutdown().await;
    }
}
