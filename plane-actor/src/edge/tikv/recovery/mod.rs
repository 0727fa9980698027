//! A TiKV of a cluster that is being restored: the service that only recovery mode has, flashback, and checksums (`facts/restore.md` §3.3
//! to §3.7).

mod checksum;
mod errors;
mod flashback;
mod keys;
mod led;
mod store;

use super::dial::dial;
use crate::ports::{ClusterTls, PortError, Recovery, RecoveryConnect};
use async_trait::async_trait;
use std::sync::Arc;
use store::RecoveryStore;

/// Makes clients of TiKV for a restore, one connection each.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecoveryConnector;

#[async_trait]
impl RecoveryConnect for RecoveryConnector {
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Recovery>, PortError> {
        let channel = dial(address, tls).await?;
        Ok(Arc::new(RecoveryStore::new(address.to_owned(), channel)))
    }
}
