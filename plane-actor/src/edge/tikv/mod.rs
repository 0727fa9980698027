//! TiKV over gRPC (leases, wait-apply, pending admin commands, safe_ts: `facts/pd-tikv.md` §1, §2, §6.4) and over its
//! status port (settings: §3.8).

mod addresses;
mod hold;
mod mux;
mod pairing;
mod recovery;
pub(crate) mod settings;
mod store;
mod turns;
mod weaker;

pub use addresses::StatusAddresses;
pub use recovery::RecoveryConnector;
pub(crate) use settings::is_zero_duration;

use super::{rest::Rest, tls};
use crate::ports::{ClusterTls, PortError, Tikv, TikvConnect};
use async_trait::async_trait;
use shared::reason::Reason;
use std::{sync::Arc, time::Duration};
use store::TikvStore;
use tonic::transport::Channel;
use turns::Turns;

/// TiKV's own keep-alive, which is also what its other clients use and what it permits on idle connections
/// (`facts/pd-tikv.md` §4.4): a peer that stopped answering is noticed within 13 s even if nothing is asked.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(3);

/// Unread bytes of one stream, and of a connection: a plane holds hundreds of connections, all of them full while stores
/// list what they lead. In a region's round trip of a millisecond it is 250 MB/s a store.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

/// Makes TiKV clients, one connection each.
#[derive(Clone, Debug)]
pub struct TikvConnector {
    status: StatusAddresses,
    turns: Turns,
}

impl TikvConnector {
    /// `status` is shared with the [`super::pd::PdConnector`] of the same plane.
    #[must_use]
    pub fn new(status: StatusAddresses) -> Self {
        Self { status, turns: Turns::default() }
    }
}

#[async_trait]
impl TikvConnect for TikvConnector {
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError> {
        let rest = Rest::new(tls).map_err(|error| unusable(address, &error))?;
        let status_url = format!("{}://{}", rest.scheme(), self.status.of(address));
        let channel = dial(address, tls).await?;
        Ok(Arc::new(TikvStore::new(address.to_owned(), channel, self.turns.clone(), rest, status_url)))
    }
}

fn unusable(address: &str, error: &tls::TlsError) -> PortError {
    PortError::refused(Reason::StoreUnavailable, format!("TiKV {address}: {error}"))
}

/// A connection of its own to the store.
async fn dial(address: &str, tls: Option<&ClusterTls>) -> Result<Channel, PortError> {
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
