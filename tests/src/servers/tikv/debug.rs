//! `debugpb.Debug` of one store (`facts/pd-tikv.md` §6.4).

use super::{proto::debugpb::debug_server::Debug as DebugRpc, state::Shared};
use plane_actor::edge::proto::debugpb::{GetRegionReadProgressRequest, GetRegionReadProgressResponse};
use shared::ts::Ts;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service of one store.
#[derive(Clone, Debug)]
pub(super) struct DebugService {
    pub(super) shared: Arc<Shared>,
    pub(super) store: u64,
}

#[tonic::async_trait]
impl DebugRpc for DebugService {
    async fn get_region_read_progress(
        &self,
        request: Request<GetRegionReadProgressRequest>,
    ) -> Result<Response<GetRegionReadProgressResponse>, Status> {
        let knobs = self.shared.lock().stores.get(&self.store).map(|store| store.knobs.clone());
        let knobs = knobs.ok_or_else(|| Status::internal("no such store"))?;
        tokio::time::sleep(knobs.safe_ts_delay).await;
        let state = self.shared.lock();
        let region = state.regions.get(&request.get_ref().region_id).filter(|r| r.peers.contains_key(&self.store));
        let safe_ts = region.map(|region| state.safe_ts(region));
        let exists = safe_ts.is_some();
        let safe_ts = safe_ts.filter(|_| knobs.resolved_ts_enable).unwrap_or(Ts::ZERO);
        Ok(Response::new(GetRegionReadProgressResponse {
            safe_ts: safe_ts.0,
            resolved_ts: safe_ts.0,
            region_read_progress_exist: exists,
            resolver_exist: exists,
            error: knobs.safe_ts_error.unwrap_or_default(),
            applied_index: 0,
        }))
    }
}
