//! Calls whose failure may pass by itself.

use crate::ports::PortError;
use shared::reason::{Reason, Refusal};
use std::time::Duration;

/// Tries of a read that may pass by itself, 0.5 s, 1 s and 2 s apart: enough for a leader change, and far within every
/// clock of a barrier.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A port's refusal word for word; what may pass by itself has not passed, so it gets the reason of its system.
pub(super) fn refusal_of(error: PortError, reason: Reason) -> Refusal {
    match error {
        PortError::Refused(refusal) => refusal,
        PortError::Unavailable(text) => Refusal::new(reason, text),
    }
}

/// A read, tried again while its failure may pass by itself.
pub(super) async fn tried<T, F>(reason: Reason, call: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, PortError>>,
{
    repeated(|error| matches!(error, PortError::Unavailable(_)), call).await.map_err(|error| refusal_of(error, reason))
}

/// A call that may be repeated, tried again while its failure may pass by itself, as `passes` says.
pub(super) async fn repeated<T, E, F>(passes: impl Fn(&E) -> bool, mut call: impl FnMut() -> F) -> Result<T, E>
where
    E: std::fmt::Debug,
    F: Future<Output = Result<T, E>>,
{
    for wait in waits() {
        match call().await {
            Err(error) if passes(&error) => tracing::debug!(?error, "trying again"),
            done => return done,
        }
        tokio::time::sleep(wait).await;
    }
    call().await
}

/// Between the tries.
pub(super) fn waits() -> impl Iterator<Item = Duration> + Send {
    (0..TRIES - 1).map(|before| FIRST_WAIT * 2_u32.pow(before))
}
