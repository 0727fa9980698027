//! `import_sstpb.ImportSST` of one store: how its imports are suspended (`facts/pd-tikv.md` §1.13).

use super::{
    proto::import_sstpb::import_sst_server::ImportSst as ImportRpc,
    state::{Mode, Shared, unix_ms},
};
use crate::models::tikv::TooLong;
use plane_actor::edge::proto::import_sstpb::{SuspendImportRpcRequest, SuspendImportRpcResponse};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service of one store.
#[derive(Clone, Debug)]
pub(super) struct ImportService {
    pub(super) shared: Arc<Shared>,
    pub(super) store: u64,
}

#[tonic::async_trait]
impl ImportRpc for ImportService {
    async fn suspend_import_rpc(
        &self,
        request: Request<SuspendImportRpcRequest>,
    ) -> Result<Response<SuspendImportRpcResponse>, Status> {
        let asked = request.into_inner();
        let mut state = self.shared.lock();
        let store = state.stores.get_mut(&self.store).ok_or_else(|| Status::internal("no such store"))?;
        if store.knobs.mode == Mode::Older {
            return Err(Status::unimplemented("unknown method SuspendImportRPC for service import_sstpb.ImportSST"));
        }
        let now = unix_ms();
        let already_suspended = if asked.should_suspend_imports {
            let too_long = |TooLong(most)| format!("{} s is longer than {most} s", asked.duration_in_secs);
            let already = store.imports.suspend(now, asked.duration_in_secs);
            let already = already.map_err(|error| Status::unknown(too_long(error)))?;
            store.counters.import_stops += 1;
            already
        } else {
            store.counters.import_starts += 1;
            store.imports.resume(now)
        };
        Ok(Response::new(SuspendImportRpcResponse { already_suspended }))
    }
}
