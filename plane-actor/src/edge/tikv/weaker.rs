//! [`Hold`] of a store without the prepare call: its imports are suspended for a while, again and again
//! (`facts/pd-tikv.md` §1.13). TiKV keeps one end time for all callers, and each call replaces it.

use super::{hold::reply_limit, mux::hold_error};
use crate::{
    edge::proto::import_sstpb::{SuspendImportRpcRequest, import_sst_client::ImportSstClient},
    ports::{Applied, Hold, HoldError, RegionAt},
};
use async_trait::async_trait;
use shared::{evidence::HoldKind, time::Millis};
use tokio::time::timeout;
use tonic::transport::Channel;

/// Shown in TiKV's log.
const CALLER: &str = "isochron";

/// Suspended imports of one store.
pub(super) struct ImportHold(Channel);

impl ImportHold {
    pub(super) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// Whether imports were suspended just before.
    async fn suspend(&self, length: Option<Millis>) -> Result<bool, HoldError> {
        let limit = reply_limit(length.unwrap_or_default());
        let request = SuspendImportRpcRequest {
            should_suspend_imports: length.is_some(),
            duration_in_secs: length.map_or(0, Millis::as_secs_up),
            caller: CALLER.to_owned(),
        };
        let mut client = ImportSstClient::new(self.0.clone());
        match timeout(limit, client.suspend_import_rpc(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().already_suspended),
            Ok(Err(status)) => Err(hold_error(&status)),
            Err(_) => Err(HoldError::Broken(format!("SuspendImportRPC was not answered in {} ms", limit.as_millis()))),
        }
    }
}

#[async_trait]
impl Hold for ImportHold {
    fn kind(&self) -> HoldKind {
        HoldKind::Weaker
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        self.suspend(Some(length)).await
    }

    async fn wait_apply(&self, _: Vec<RegionAt>) -> Result<Applied, HoldError> {
        Err(HoldError::Unimplemented)
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        self.suspend(None).await
    }
}
