//! What verifications need of what this process has seen and asked.

use super::questions::Questions;
use shared::{
    ids::BackupUid,
    time::Timestamp,
    verify::Pace,
    wire::{Inspected, Verified},
};
use std::collections::BTreeMap;

/// Whoever asked for them.
#[derive(Default)]
pub(super) struct Verifying {
    pub(super) under_way: usize,
    pub(super) questions: Questions<Verified>,
    /// Of plans of restores, which count among those under way.
    pub(super) inspections: Questions<Inspected>,
    /// How often what is kept is looked at; `None`: only when somebody asks.
    pub(super) pace: Option<Pace>,
    /// One is under way that nobody asked for.
    pub(super) by_itself: bool,
    /// What was looked at lately, or could not be, and when it may be tried again.
    pub(super) not_before: BTreeMap<BackupUid, Timestamp>,
}

impl Verifying {
    pub(super) fn every(pace: Option<Pace>) -> Self {
        Self { pace, ..Self::default() }
    }
}
