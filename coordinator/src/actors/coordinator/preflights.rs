//! Questions to planes that somebody waits for, of `console check` and `diagnose`, and what a check needs beside them.

use super::questions::Questions;
use crate::console::check::Heard;
use shared::{reason::Refusal, request::Request, schedule::ScheduleKey};
use std::collections::BTreeMap;

/// What checks need of what this process has seen and asked.
#[derive(Default)]
pub(super) struct Checking {
    pub(super) under_way: usize,
    pub(super) questions: Questions<Heard>,
    /// What planes are to say of themselves, packed.
    pub(super) diagnoses: Questions<Result<String, Refusal>>,
    pub(super) schedules: BTreeMap<ScheduleKey, Option<Request>>,
}
