//! The way to the coordinator over QUIC, and where UDP does not come through, over TCP.

use super::fallback::Fallback;
use crate::ports::{Dialer, PortError};
use async_trait::async_trait;
use shared::{
    ids::PlaneId,
    wire::{Hello, WIRE_VERSION},
};
use shell::{
    link::Link,
    quic::{Client, DialError},
};
use std::{future::pending, time::Duration};
use tokio::time::{Instant, sleep};

/// One dial over all addresses. The plane's own lease is 15 s; a dial that takes longer than a third of it helps nobody.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Of it for QUIC, where nothing came back for so long that TCP has its turn in the same dial.
const QUIC_BEFORE_TCP: Duration = Duration::from_secs(2);

/// Dials whichever coordinator leads.
pub struct QuicDialer {
    client: Client,
    servers: Vec<String>,
    server_name: Option<String>,
    hello: Hello,
    fallback: Option<Fallback>,
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
            diagnoses: true,
            inspects: true,
            restores: false,
        };
        Self { client, servers, server_name, hello, fallback: None }
    }

    /// The same of a plane that was given what a restore writes with.
    #[must_use]
    pub fn that_restores(mut self) -> Self {
        self.hello.restores = true;
        self
    }

    /// The same with a way over TCP.
    #[must_use]
    pub fn or_by(self, fallback: Fallback) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// Once QUIC was silent for long enough; `silence` is what it said last.
    async fn over_tcp(&self, fallback: &Fallback, silence: &DialError) -> Result<Link, PortError> {
        let (name, limit) = (self.server_name.as_deref(), DIAL_LIMIT - QUIC_BEFORE_TCP);
        match self.client.dial_plane_over_tcp(&fallback.servers, name, &self.hello, limit).await {
            Ok((link, welcome)) => {
                fallback.taken();
                let (coordinator, session) = (welcome.version, welcome.generation);
                tracing::warn!(coordinator, session, %silence, "connected to coordinator over TCP, UDP does not come through");
                Ok(link)
            }
            Err(error) => Err(PortError::Unavailable(format!("{silence}; and over TCP: {error}"))),
        }
    }

    /// Ends when QUIC could take the place of a link over TCP.
    async fn comes_through_again(&self) {
        let Some(fallback) = self.fallback.as_ref().filter(|fallback| fallback.is_taken()) else {
            return pending().await;
        };
        loop {
            sleep(fallback.look_every).await;
            let name = self.server_name.as_deref();
            if self.client.comes_through(&self.servers, name, QUIC_BEFORE_TCP).await {
                tracing::info!("UDP comes through again: linking over QUIC once nothing is under way");
                return;
            }
        }
    }
}

#[async_trait]
impl Dialer for QuicDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        let name = self.server_name.as_deref();
        let due = self.fallback.as_ref().filter(|fallback| fallback.is_due());
        let limit = if due.is_some() { QUIC_BEFORE_TCP } else { DIAL_LIMIT };
        let began = Instant::now();
        let dialled = self.client.dial_plane(&self.servers, name, &self.hello, limit).await;
        let silent = matches!(dialled, Err(DialError::Unreachable(_)));
        if let Some(fallback) = &self.fallback {
            fallback.dialled(began, silent);
        }
        match dialled {
            Ok((link, welcome)) => {
                tracing::info!(coordinator = welcome.version, session = welcome.generation, "connected to coordinator");
                Ok(link)
            }
            Err(silence) => match due.filter(|_| silent) {
                Some(fallback) => self.over_tcp(fallback, &silence).await,
                None => Err(PortError::Unavailable(silence.to_string())),
            },
        }
    }

    async fn outdated(&self) {
        tokio::select! {
            () = self.client.outdated() => {}
            () = self.comes_through_again() => {}
        }
    }

    async fn close(&self) {
        self.client.shutdown().await;
    }
}
