//! Questions to planes that somebody waits for, and what `console check` needs beside them.

use crate::console::check::Heard;
use shared::{ids::PlaneId, request::Request, schedule::ScheduleKey};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// What checks need of what this process has seen and asked.
#[derive(Default)]
pub(super) struct Checking {
    pub(super) under_way: usize,
    /// Number of the last question to a plane.
    pub(super) asked: u64,
    pub(super) waiting: BTreeMap<PlaneId, Waiting>,
    pub(super) schedules: BTreeMap<ScheduleKey, Option<Request>>,
}

/// Somebody waits for this plane's answer.
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) generation: u64,
    pub(super) answer: oneshot::Sender<Heard>,
}

impl Checking {
    /// Its session is over, or another has taken its place: nobody answers any more.
    pub(super) fn session_over(&mut self, plane: &PlaneId, generation: u64) {
        if self.waiting.get(plane).is_some_and(|waiting| waiting.generation <= generation) {
            self.waiting.remove(plane);
        }
    }
}
