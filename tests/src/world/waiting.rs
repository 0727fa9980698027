//! When somebody was waiting for a simulated call: what is left of a hold without these spans is our own share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Spans kept; a backup of a demo makes a few hundred calls, most of them overlapping.
const SPANS: usize = 100_000;

#[derive(Default)]
struct Spans {
    open: u32,
    since: u64,
    closed: Vec<(u64, u64)>,
}

/// Clones share one record.
#[derive(Clone, Default)]
pub(crate) struct Waiting {
    spans: Arc<Mutex<Spans>>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Spans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A simulated call begins at this millisecond of the world.
    pub(crate) fn begin(&self, now: u64) {
        let mut spans = self.lock();
        if spans.open == 0 {
            spans.since = now;
        }
        spans.open += 1;
    }

    /// It ended.
    pub(crate) fn end(&self, now: u64) {
        let mut spans = self.lock();
        spans.open = spans.open.saturating_sub(1);
        if spans.open == 0 && spans.closed.len() < SPANS {
            let since = spans.since;
            spans.closed.push((since, now));
        }
    }

    /// Whoever has waited.
    pub(crate) fn forget(&self) {
        self.lock().closed = Vec::new();
    }

    /// Milliseconds between `from` and `to` in which at least one simulated call was under way.
    pub(crate) fn within(&self, from: u64, to: u64) -> u64 {
        let spans = self.lock();
        let open = (spans.open > 0).then_some((spans.since, u64::MAX));
        spans.closed.iter().copied().chain(open).map(|(begin, end)| end.min(to).saturating_sub(begin.max(from))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_calls_count_once_and_only_inside_the_window() {
        let waiting = Waiting::default();
        waiting.begin(10);
        waiting.begin(20);
        waiting.end(30);
        waiting.end(50);
        waiting.begin(100);
        assert_eq!(waiting.within(0, 200), 40 + 100);
        assert_eq!(waiting.within(45, 60), 5);
        waiting.end(110);
        assert_eq!(waiting.within(0, 200), 50);
    }
}
