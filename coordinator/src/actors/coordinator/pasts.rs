//! The last steps of barriers that have ended, to be shown (`console diagnose`).

use shared::ids::BackupUid;
use shell::driver::Stepped;
use std::collections::VecDeque;

/// Barriers that are remembered: who asks comes after the failure, and not hours later.
const ENDED: usize = 32;

/// See the module.
#[derive(Default)]
pub(super) struct Pasts(VecDeque<(BackupUid, Vec<Stepped>)>);

impl Pasts {
    pub(super) fn keep(&mut self, backup: BackupUid, steps: Vec<Stepped>) {
        self.0.push_back((backup, steps));
        if self.0.len() > ENDED {
            self.0.pop_front();
        }
    }

    /// The newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = (&BackupUid, &Vec<Stepped>)> {
        self.0.iter().rev().map(|(backup, steps)| (backup, steps))
    }
}
