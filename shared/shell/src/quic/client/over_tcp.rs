//! A plane's way over TCP, where UDP does not come through, and the look whether it does again.

use super::{
    Client,
    addresses::{resolve, share},
    outcome::{DialError, Tally, within},
};
use crate::{
    link::Link,
    quic::{Close, ends::Ends, tcp},
    tls::ALPN_PLANE,
};
use shared::wire::{Hello, Welcome};
use std::time::Duration;
use tokio::time::Instant;

impl Client {
    /// As [`Client::dial_plane`], over TLS and TCP.
    pub async fn dial_plane_over_tcp(
        &self,
        servers: &[String],
        server_name: Option<&str>,
        hello: &Hello,
        limit: Duration,
    ) -> Result<(Link, Welcome), DialError> {
        let mut tally = Tally::default();
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        for (tried, (address, name)) in targets.iter().enumerate() {
            let share = share(end, targets.len() - tried);
            self.shows();
            let material = self.credentials.current();
            match within(share, tcp::connect(&material, *address, name, hello)).await {
                Ok((reached, ending, stream, welcome)) if welcome.leading => {
                    self.distrusted.send_replace(None);
                    let peer = reached.peer.clone();
                    self.keep(reached);
                    return Ok((tcp::link(stream, &ending, peer, None, self.links.one()), welcome));
                }
                Ok(_) => tally.not_leading += 1,
                Err(failure) => {
                    if let super::Failure::Distrusted(distrust) = &failure {
                        self.distrusted.send_replace(Some(distrust.clone()));
                    }
                    tally.failed(*address, failure);
                }
            }
        }
        Err(tally.error())
    }

    /// Does a coordinator shake hands over QUIC? Nothing is said, and no session begins.
    pub async fn comes_through(&self, servers: &[String], server_name: Option<&str>, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let Ok(targets) = resolve(servers, server_name, end).await else { return false };
        let sockets = self.sockets();
        for (tried, (address, name)) in targets.iter().enumerate() {
            let share = share(end, targets.len() - tried);
            let looked = within(share, self.connect(sockets.of(*address), *address, name, ALPN_PLANE)).await;
            if let Ok((connection, _)) = looked {
                connection.end(Close::Done, "only looked");
                return true;
            }
        }
        false
    }
}
