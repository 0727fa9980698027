//! Where the trace of an attempt goes.

use shared::{barrier::View, time::Timestamp};
use std::sync::Arc;

/// An attempt that has ended, well or badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// As it stood then.
    pub view: Arc<View>,
    /// When it began to prepare, by the wall clock: its moments count from there.
    pub began: Timestamp,
    /// When it had ended.
    pub ended: Timestamp,
}

/// Takes traces of attempts, for tools that show them. Nothing is decided by one.
pub trait Traces: Send + Sync {
    /// Returns at once; what finds no room is lost.
    fn ended(&self, attempt: EndedAttempt);
}

/// Nobody wants any.
pub struct NoTraces;

impl Traces for NoTraces {
    fn ended(&self, _: EndedAttempt) {}
}
