//! Questions to planes that somebody waits for, and what `console check` needs beside them.

use super::questions::Questions;
use crate::console::check::Heard;
use shared::{request::Request, schedule::ScheduleKey};
use std::collections::BTreeMap;

/// What checks need of what this process has seen and asked.
#[derive(Default)]
pub(super) struct Checking {
    pub(super) under_way: usize,
    pub(super) questions: Questions<Heard>,
    pub(super) schedules: BTreeMap<ScheduleKey, Option<Request>>,
}
