//! `import_sstpb.ImportSST` of one store: how its imports are suspended (`facts/pd-tikv.md` §1.13).

use super::{
    proto::import_sstpb::import_sst_server::ImportSst as ImportRpc,
    state::{Mode, Shared, unix_ms},
};
use plane_actor::edge::proto::import_sstpb::{SuspendImportRpcRequest, SuspendImportRpcResponse};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Six hours; TiKV refuses more.
const LONGEST_SECS: u64 = 21_600;

/// The service of one store.
#[derive(Clone, Debug)]
pub(super) struct ImportService {
    pub(super) shared: Arc<Shared>,
    pub(super) store: u64,
}

#[tonic::async_trait]
impl ImportRpc for ImportService {
    /// One end time for all callers, by the host's wall clock; each call replaces it, and may so shorten it.
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
        let already_suspended = store.imports_end > now;
        if asked.should_suspend_imports {
            if asked.duration_in_secs > LONGEST_SECS {
                let text = format!("{} s is longer than {LONGEST_SECS} s", asked.duration_in_secs);
                return Err(Status::unknown(text));
            }
            store.counters.import_stops += 1;
            store.imports_end = now + asked.duration_in_secs * 1000;
        } else {
            store.counters.import_starts += 1;
            store.imports_end = 0;
        }
        Ok(Response::new(SuspendImportRpcResponse { already_suspended }))
    }
}
