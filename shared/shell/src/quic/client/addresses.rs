//! What is dialled: names become addresses, and each gets its share of the time.

use super::outcome::DialError;
use crate::quic::HELLO_LIMIT;
use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// Addresses tried in one dial: more replicas of a coordinator than anybody runs, times two address families.
const MAX_ADDRESSES: usize = 16;

/// A coordinator's port where none is said.
const DEFAULT_PORT: u16 = 7443;

pub(super) fn share(end: Instant, left: usize) -> Duration {
    let remaining = end.saturating_duration_since(Instant::now());
    (remaining / u32::try_from(left.max(1)).unwrap_or(u32::MAX)).min(HELLO_LIMIT)
}

/// Addresses with the name that each must prove, at most [`MAX_ADDRESSES`].
pub(super) async fn resolve(
    servers: &[String],
    server_name: Option<&str>,
    end: Instant,
) -> Result<Vec<(SocketAddr, String)>, DialError> {
    let end = end.min(Instant::now() + HELLO_LIMIT);
    let mut targets = Vec::new();
    let mut problems = Vec::new();
    for server in servers.iter().take(MAX_ADDRESSES) {
        let Some((host, port)) = host_and_port(server) else {
            problems.push(format!("{server} is no host:port"));
            continue;
        };
        let name = server_name.unwrap_or(&host).to_owned();
        match timeout_at(end, tokio::net::lookup_host((host.as_str(), port))).await {
            Ok(Ok(found)) => targets.extend(found.map(|address| (address, name.clone()))),
            Ok(Err(error)) => problems.push(format!("{server}: {error}")),
            Err(_) => problems.push(format!("{server}: name not resolved in time")),
        }
    }
    targets.truncate(MAX_ADDRESSES);
    if targets.is_empty() { Err(DialError::NoAddress(problems.join("; "))) } else { Ok(targets) }
}

/// Reads `host:port`, `host`, `[v6]:port` and `v6`; brackets and a final dot are no part of the name that is to be proved.
pub(in crate::quic) fn host_and_port(server: &str) -> Option<(String, u16)> {
    let server = server.trim();
    let whole = server.parse::<Ipv6Addr>().is_ok() || server.ends_with(']');
    let (host, port) = match server.rsplit_once(':').filter(|_| !whole) {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (server, DEFAULT_PORT),
    };
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}
