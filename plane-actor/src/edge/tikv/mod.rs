//! TiKV over gRPC (leases, wait-apply, pending admin commands, safe_ts: `facts/pd-tikv.md` §1, §2, §6.4) and over its
//! status port (settings: §3.8).

mod addresses;
mod dial;
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

use super::rest::Rest;
use crate::ports::{ClusterTls, PortError, Tikv, TikvConnect};
use async_trait::async_trait;
use dial::{dial, unusable};
use std::sync::Arc;
use store::TikvStore;
use turns::Turns;

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
