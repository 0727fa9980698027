//! What scans need of what this process has asked.

use super::questions::Questions;
use shared::{
    time::{Millis, Timestamp},
    wire::Scanned,
};

/// Whoever asked for one.
#[derive(Default)]
pub(super) struct Scanning {
    pub(super) under_way: bool,
    pub(super) questions: Questions<Scanned>,
    /// How often AWS is looked through; `None`: only when somebody asks.
    pub(super) every: Option<Millis>,
    /// When it is due; `None`: not decided yet.
    pub(super) next: Option<Timestamp>,
}

impl Scanning {
    pub(super) fn every(every: Option<Millis>) -> Self {
        Self { every, ..Self::default() }
    }
}
