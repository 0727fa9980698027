//! Calls whose failure may pass by itself.

use crate::ports::PortError;
use shared::reason::{Reason, Refusal};
use std::time::Duration;

/// Tries of a read that may pass by itself, 0.5 s, 1 s and 2 s apart: enough for a leader change, and far within every
/// clock of a barrier.
pub(super) const TRIES: u32 = 4;
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A port's refusal word for word; what may pass by itself has not passed, so it gets the reason of its system.
pub(super) fn refusal_of(error: PortError, reason: Reason) -> Refusal {
    match error {
        PortError::Refused(refusal) => refusal,
        PortError::Unavailable(text) => Refusal::new(reason, text),
    }
}

/// A read, tried again while its failure may pass by itself.
pub(super) async fn tried<T, F>(reason: Reason, mut call: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, PortError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match call().await {
            Ok(value) => return Ok(value),
            Err(PortError::Refused(refusal)) => return Err(refusal),
            Err(PortError::Unavailable(text)) => tracing::debug!(text, "trying again"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    call().await.map_err(|error| refusal_of(error, reason))
}
