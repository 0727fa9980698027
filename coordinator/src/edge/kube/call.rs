//! One call of the API server: bounded in time, its failure in the words of the ports.

use crate::ports::PortError;
use shared::reason::{Reason, Refusal};
use std::time::Duration;

/// Limit of one call. Below the 3 s that a save may take (`design.md` §3), during which an actor handles nothing else.
pub(super) const CALL_LIMIT: Duration = Duration::from_millis(2500);

/// Runs `call`. `what` says what was tried, with the object's name.
pub(super) async fn bounded<T>(what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, PortError> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(result) => result.map_err(|error| port_error(what, &error)),
        Err(_) => Err(PortError::Unavailable(format!(
            "{what}: no answer from the API server within {} ms; the outcome is unknown",
            CALL_LIMIT.as_millis()
        ))),
    }
}

/// The same for a write of the ledger: what the API server will never take is a refusal.
pub(super) async fn bounded_write<T>(
    what: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, PortError> {
    let mut refused = None;
    let looked = async { call.await.inspect_err(|error| refused = never(what, error)) };
    let outcome = bounded(what, looked).await;
    outcome.map_err(|error| refused.map_or(error, PortError::Refused))
}

/// Too large, for the API server (413) or for etcd, whose words it passes on; or not what it takes (422). Not a missing
/// permission or a quota (403), which a person may mend meanwhile.
fn never(what: &str, error: &kube::Error) -> Option<Refusal> {
    let kube::Error::Api(status) = error else { return None };
    let reason = match status.code {
        413 => Reason::TooLarge,
        500 if status.message.contains("request is too large") => Reason::TooLarge,
        422 if status.message.contains("Too long") => Reason::TooLarge,
        422 => Reason::LedgerLost,
        _ => return None,
    };
    Some(Refusal::new(reason, format!("{what}: {} {}: {}", status.code, status.reason, status.message)))
}

/// A request that the API server answered with 404 or 409 changed nothing; of everything else the outcome is unknown.
pub(super) fn port_error(what: &str, error: &kube::Error) -> PortError {
    let kube::Error::Api(status) = error else {
        return PortError::Unavailable(format!("{what}: {}", chain(error)));
    };
    let text = format!("{what}: {} {}: {}", status.code, status.reason, status.message);
    match status.code {
        404 => PortError::NotFound(text),
        409 => PortError::Conflict(text),
        _ => PortError::Unavailable(text),
    }
}

/// The API server understood a request and would not have it: certainly nothing was changed, and asking the same again
/// will not help soon.
pub(super) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 401 | 403 | 404 | 405 | 409 | 413 | 422))
}

/// An error with its causes; kube's own text often leaves out the one that helps (refused, unknown host, certificate).
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    // Causes do not nest deeper than a handful; a cycle cannot hold us.
    for _ in 0..8 {
        let Some(cause) = source else { break };
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
