//! When planes heard an order and when they answered it, by the one clock of their process; and what that says of the
//! coordinator.

use shared::ids::{Attempt, BackupUid};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The steps from the first touch to the last word of the barrier. Each begins when all have answered the one before.
const STEPS: [&str; 8] =
    ["Reserve", "Settle (PD)", "Settle (leaders)", "Suspend", "Cover", "Snapshot", "Confirm", "Release"];

#[derive(Default)]
struct Step {
    heard: BTreeMap<u32, Instant>,
    /// Of the last plane that did.
    answered: Option<Instant>,
}

type Steps = BTreeMap<&'static str, Step>;

/// Clones share one log.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<BTreeMap<BackupUid, Steps>>>);

/// What one round of barriers took, beside the planes' own time.
pub(super) struct Coordination {
    /// For every plane and step: from the last answer of the step before to this plane's order, in order of length.
    pub(super) each: Vec<Duration>,
    /// For every backup and step: until the last plane has its order.
    pub(super) whole: Vec<Duration>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<BackupUid, Steps>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first time counts: what is told again is told to a new session.
    pub(super) fn note(&self, attempt: &Attempt, step: &'static str, plane: u32, at: Instant) {
        let mut log = self.lock();
        let steps = log.entry(attempt.backup.clone()).or_default();
        steps.entry(step).or_default().heard.entry(plane).or_insert(at);
    }

    /// An answer goes on its way now.
    pub(super) fn answered(&self, attempt: &Attempt, step: &'static str) {
        let mut log = self.lock();
        if let Some(step) = log.get_mut(&attempt.backup).and_then(|steps| steps.get_mut(step)) {
            step.answered = Some(Instant::now());
        }
    }

    /// What was heard since the last time.
    pub(super) fn take(&self) -> Coordination {
        let (mut each, mut whole) = (Vec::new(), Vec::new());
        for steps in std::mem::take(&mut *self.lock()).into_values() {
            for pair in STEPS.windows(2) {
                let [before, this] = pair else { continue };
                let (Some(before), Some(this)) = (steps.get(before), steps.get(this)) else { continue };
                let Some(from) = before.answered else { continue };
                let waits: Vec<Duration> = this.heard.values().map(|at| at.saturating_duration_since(from)).collect();
                whole.extend(waits.iter().max());
                each.extend(waits);
            }
        }
        each.sort_unstable();
        whole.sort_unstable();
        Coordination { each, whole }
    }
}

/// So many of a hundred are not above it; what is given is sorted.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
