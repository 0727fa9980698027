//! A connection to one store.

use crate::{
    edge::tls::{self, TlsError},
    ports::{ClusterTls, PortError},
};
use shared::reason::Reason;
use std::time::Duration;
use tonic::transport::Channel;

/// TiKV's own keep-alive, which is also what its other clients use and what it permits on idle connections
/// (`facts/pd-tikv.md` §4.4): a peer that stopped answering is noticed within 13 s even if nothing is asked.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(3);

/// Unread bytes of one stream, and of a connection: a plane holds hundreds of connections, all of them full while stores
/// list what they lead. In a region's round trip of a millisecond it is 250 MB/s a store.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

/// The secret or the address is of no use.
pub(super) fn unusable(address: &str, error: &TlsError) -> PortError {
    PortError::refused(Reason::StoreUnavailable, format!("TiKV {address}: {error}"))
}

/// A connection of its own to the store.
pub(super) async fn dial(address: &str, tls: Option<&ClusterTls>) -> Result<Channel, PortError> {
    let endpoint = tls::endpoint(address, tls)
        .map_err(|error| unusable(address, &error))?
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_LIMIT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    tls::dial(endpoint)
        .await
        .map_err(|text| PortError::Unavailable(format!("TiKV {address} cannot be reached: {text}")))
}
