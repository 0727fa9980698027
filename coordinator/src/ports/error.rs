//! Why a port could not do it.

use shared::reason::Refusal;

/// Why a port could not do what was asked. All but a refusal may pass by themselves.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// The object or file is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// Somebody else wrote it first.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Time-out, 5xx, broken connection, full disk: whether it was written is unknown.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It was not written, and the same will never be: it is too large, or not what is taken there.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
