//! Refusals, and faults that a test plans.

use crate::models::ec2::Refusal;
use std::time::Duration;

/// What EC2 answers instead of a result (`facts/ec2-wire.md` §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ApiError {
    /// The caller's fault, HTTP 400.
    pub(crate) fn client(code: &str, message: impl Into<String>) -> Self {
        Self::with(400, code, message)
    }

    pub(crate) fn with(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = if refusal.code == "RequestLimitExceeded" { 503 } else { 400 };
        Self::with(status, refusal.code, refusal.message)
    }
}

/// What happens to one call. Planned per action; each call takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused before anything happens.
    Refuse {
        /// HTTP status.
        status: u16,
        /// Error code.
        code: String,
        /// Error message.
        message: String,
    },
    /// Nothing happens for so long, then all goes on as usual.
    SlowStart(Duration),
    /// All is done, then the connection is closed without a reply.
    LostReply,
    /// All is done, then the answer is HTTP 500 InternalError.
    DoneThenError,
    /// All is done, then the reply takes so long.
    SlowReply(Duration),
    /// All is done; the reply ends before its last snapshot, with a Content-Length that agrees. The Rust SDK takes it for a
    /// shorter list.
    CutReply,
}

impl Fault {
    /// A refusal with EC2's usual text for nothing in particular.
    #[must_use]
    pub fn refuse(status: u16, code: &str) -> Self {
        Self::Refuse { status, code: code.to_owned(), message: format!("planned by the test: {code}") }
    }
}
