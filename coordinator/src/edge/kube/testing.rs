//! What tests of this edge share.

use api_server::ApiServer;
use kube::Client;
use shared::time::Timestamp;
use std::sync::Arc;

/// An API server with our kinds and what else this program lists.
pub(crate) fn server() -> (ApiServer, Client) {
    ApiServer::listing(&["configmaps", "events", "leases", "namespaces", "volumebackups", "volumebackupschedules"])
}

/// 2024-05-01T03:00:20Z.
pub(crate) fn wall() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(|| Timestamp(1_714_532_420_000))
}
