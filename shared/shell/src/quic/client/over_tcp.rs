//! A plane's way over TCP, where UDP does not come through, and the look whether it does again.

use super::{
    Client, Failure, Way,
    addresses::{resolve, share},
    outcome::{DialError, Tally, within},
};
use crate::{
    link::Link,
    quic::{Close, ends::Ends, tcp},
    tls::ALPN_PLANE,
};
use shared::wire::{Hello, Welcome};
use std::{net::SocketAddr, time::Duration};
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
        let end = Instant::now() + limit;
        let targets = resolve(servers, server_name, end).await?;
        self.first_that_leads(&targets, end, &Way::Tcp, hello).await.map_err(Tally::error)
    }

    /// `None`: it does not lead.
    pub(super) async fn greet_over_tcp(
        &self,
        address: SocketAddr,
        name: &str,
        hello: &Hello,
    ) -> Result<Option<(Link, Welcome)>, Failure> {
        self.shows();
        let material = self.credentials.current();
        let connected = tcp::connect(&material, address, name, hello).await.inspect_err(|failure| {
            if let Failure::Distrusted(distrust) = failure {
                self.distrusted.send_replace(Some(distrust.clone()));
            }
        });
        let (reached, ending, stream, welcome) = connected?;
        if !welcome.leading {
            return Ok(None);
        }
        let peer = reached.peer.clone();
        self.keep(reached);
        Ok(Some((tcp::link(stream, &ending, peer, None, self.links.one()), welcome)))
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
