//! Work that computes, kept from the actors' thread.

use shared::reason::{Reason, Refusal};
use tokio::{runtime::Handle, task::JoinSet};
use tracing::Instrument;

/// Runs it on that runtime, or here where there is none (tests, simulation). Whoever stops waiting ends it.
pub(crate) async fn beside<T: Send + 'static>(
    runtime: Option<&Handle>,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(runtime) = runtime else { return work.await };
    let mut one = JoinSet::new();
    one.spawn_on(work.in_current_span(), runtime);
    match one.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Its runtime is being shut down, so this process is.
        _ => Err(Refusal::new(Reason::Internal, "this process ends")),
    }
}
