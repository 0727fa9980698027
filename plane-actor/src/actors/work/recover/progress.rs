//! How far a step has come, and how it waits.

use std::time::Duration;

/// Is told how far a step has come: done, of how many, and what goes on. Called from wherever the step runs.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Send + Sync);

/// Between two looks at what is waited for. PD hears of its stores every 10 s.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A number of things, for evidence.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
