//! A plane of an earlier version dials: its `Hello` names nothing that it could do beyond the first words, and so has the bytes that it
//! had then.

use async_trait::async_trait;
use plane_actor::ports::{Dialer, PortError};
use shared::{ids::PlaneId, wire::Hello};
use shell::{link::Link, quic::Client};
use std::time::Duration;

/// As `plane_actor::edge::quic`.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct EarlierDialer {
    client: Client,
    servers: Vec<String>,
    hello: Hello,
}

impl EarlierDialer {
    pub(super) fn new(client: Client, servers: Vec<String>, plane: PlaneId, boot: u16) -> Self {
        let hello = Hello::plain("earlier", plane, boot.to_string());
        Self { client, servers, hello }
    }
}

#[async_trait]
impl Dialer for EarlierDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        let dialled = self.client.dial_plane(&self.servers, None, &self.hello, DIAL_LIMIT).await;
        dialled.map(|(link, _)| link).map_err(|error| PortError::Unavailable(error.to_string()))
    }

    async fn outdated(&self) {
        self.client.outdated().await;
    }

    async fn close(&self) {
        self.client.shutdown().await;
    }
}
