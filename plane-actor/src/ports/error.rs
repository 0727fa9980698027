//! Why a port could not do it.

use shared::reason::{Reason, Refusal};

/// Why a port could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// Final until a person (or the cluster) changes something; goes to the coordinator word for word.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// May pass by itself: time-outs, 5xx, throttling, a leader change. The text says what and where.
    #[error("{0}")]
    Unavailable(String),
}

impl PortError {
    /// A final refusal.
    pub fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(reason, message))
    }
}
