//! One process life of a store: its listeners and a runtime of its own. Ending it closes every connection at once, as
//! the kernel does for a killed process.

use super::{
    backup::BackupService,
    debug::DebugService,
    imports::ImportService,
    proto::{
        backup::backup_server::BackupServer, debugpb::debug_server::DebugServer,
        import_sstpb::import_sst_server::ImportSstServer,
    },
    state::Shared,
    status,
};
use anyhow::{Context, Result};
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Server, server::Router};

/// Until the runtime of the life before has let go of its port.
const REBIND_LIMIT: Duration = Duration::from_secs(10);

/// A running store.
#[derive(Debug)]
pub(super) struct Life(Option<Runtime>);

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Life {
    /// Everything that runs there.
    pub(super) fn of(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }
}

/// Serves until the runtime ends.
pub(super) fn serve(runtime: &Runtime, router: Router, listener: TcpListener, name: &str) -> Result<()> {
    let context = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(context);
    let name = name.to_owned();
    runtime.spawn(async move {
        if let Err(error) = router.serve_with_incoming(TcpListenerStream::new(listener)).await {
            tracing::warn!(name, %error, "a TiKV server ended");
        }
    });
    Ok(())
}

/// A runtime with a thread of its own.
pub(super) fn runtime(name: &str) -> Result<Runtime> {
    let built = Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build();
    built.with_context(|| format!("no runtime for {name}"))
}

/// A listener; with port 0 the system chooses one.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let deadline = Instant::now() + REBIND_LIMIT;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse || Instant::now() > deadline => {
                return Err(error).with_context(|| format!("cannot listen on {address}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Starts serving one store.
pub(super) fn launch(shared: &Arc<Shared>, store: u64, grpc: TcpListener, http: TcpListener) -> Result<Life> {
    let runtime = runtime(&format!("tikv-{store}"))?;
    let context = runtime.enter();
    let http = tokio::net::TcpListener::from_std(http)?;
    drop(context);
    let backup = BackupServer::new(BackupService { shared: Arc::clone(shared), store });
    let debug = DebugServer::new(DebugService { shared: Arc::clone(shared), store });
    let imports = ImportSstServer::new(ImportService { shared: Arc::clone(shared), store });
    let router = Server::builder().add_service(backup).add_service(debug).add_service(imports);
    serve(&runtime, router, grpc, &format!("store {store}"))?;
    runtime.spawn(status::serve(Arc::clone(shared), store, http));
    Ok(Life::of(runtime))
}
