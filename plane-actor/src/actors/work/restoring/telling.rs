//! How far a piece of work has come, for people.

use shared::wire::RestoreProgress;
use tokio::sync::mpsc;

/// Of one piece of work.
#[derive(Clone)]
pub(crate) struct Telling {
    number: u64,
    progress: Option<mpsc::Sender<(u64, RestoreProgress)>>,
}

impl Telling {
    pub(crate) fn new(number: u64, progress: Option<mpsc::Sender<(u64, RestoreProgress)>>) -> Self {
        Self { number, progress }
    }

    /// Overflow rule: a report that finds no room is replaced by the next.
    pub(super) fn tell(&self, done: u64, total: u64, text: &str) {
        if let Some(progress) = &self.progress {
            let _ = progress.try_send((self.number, RestoreProgress { done, total, text: text.to_owned() }));
        }
    }
}
