//! PD over gRPC and HTTP, which share one port (`facts/pd-tikv.md` §1.9, §3, §4). gRPC for everything with 64-bit
//! numbers or business errors; HTTP for what only HTTP has: scheduler pauses, TTL configs, the list of service safe
//! points, PD's own min-resolved-ts, and the admin calls of a restore.

mod client;
mod gc;
mod leader;
mod marked;
mod pause;
mod stores;

use super::tikv::StatusAddresses;
use crate::ports::{Pd, PdConnect, PdEndpoint, PortError};
use async_trait::async_trait;
use client::PdClient;
use leader::Leaders;
pub use marked::MarkedConnector;
use std::sync::Arc;

/// Makes PD clients. It notes every store's status address, because only PD knows it and only TiKV's client needs it.
#[derive(Clone, Debug)]
pub struct PdConnector {
    status: StatusAddresses,
}

impl PdConnector {
    /// `status` is shared with the [`super::tikv::TikvConnector`] of the same plane.
    #[must_use]
    pub fn new(status: StatusAddresses) -> Self {
        Self { status }
    }
}

#[async_trait]
impl PdConnect for PdConnector {
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Pd>, PortError> {
        let leaders = Leaders::connect(endpoint).await?;
        Ok(Arc::new(PdClient::new(leaders, self.status.clone())))
    }
}
