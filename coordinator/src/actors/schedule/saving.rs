//! Writes of one schedule's status, one after the other.

use crate::ports::ScheduleRef;
use shared::schedule::Status;

/// A status write under way, and the one to follow it. One at a time: of two, the older could be stored last.
#[derive(Default)]
pub(super) struct Saving {
    pub(super) next: Option<(ScheduleRef, Status)>,
}
