//! Seeded simulation of the whole system in virtual time: real actors and machines, doubles of every port, faults by
//! weight. One `u64` makes the world, its knobs and its plan of faults; the same seed gives the same bytes of trace.
//!
//! ```text
//! seed ──► Plan ──► Rig (real coordinator, real planes, world) ──► faults stop, all is healed ──► everything must end
//!                     │ ledger writes, frames, looks                                          │
//!                     └──────────► invariants I1–I10, trace and its hash ◄────────────────────┘
//! ```
//! What is found is a [`Violation`] with the seed in hand: [`run`] with [`Options::trace`] shows how it came about.

mod inject;
mod kinds;
pub mod logs;
mod observer;
mod options;
mod plan;
mod play;
mod trace;

pub use crate::invariants::Violation;
pub use kinds::Kind;
pub use options::{Options, Outcome};
pub use plan::Plan;

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

/// Runs one seed to its end. A panic anywhere in it is a violation.
pub fn run(seed: u64, options: &Options) -> Outcome {
    logs::begin(options.trace);
    let plan = Plan::of(seed, &options.kinds);
    let (world, name) = (plan.world.clone(), plan.to_string());
    let kept = std::panic::catch_unwind(AssertUnwindSafe(|| {
        crate::rig::run(world, async move |rig| play::play(&rig, plan, options).await)
    }));
    let mut outcome = kept.unwrap_or_else(|_| Outcome {
        seed,
        ends: vec!["panicked".to_owned()],
        faults: BTreeMap::new(),
        violations: Vec::new(),
        hash: 0,
        trace: vec![name],
        virtual_ms: 0,
    });
    let (panics, alarms) = logs::end();
    let broken = |invariant: &'static str| move |text: String| Violation { invariant, text };
    outcome.violations.extend(panics.into_iter().map(broken("panic")));
    outcome.violations.extend(alarms.into_iter().map(broken("alarm")));
    outcome
}
