//! How a seed is run, and what came of it.

use super::kinds::Kind;
use crate::invariants::Violation;
use std::collections::BTreeMap;

/// How a seed is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Keep the trace's lines, not only their hash.
    pub trace: bool,
    /// Faults of these kinds alone; none: of all.
    pub kinds: Vec<Kind>,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// How each backup ended: a phase, or `Failed/` and a reason.
    pub ends: Vec<String>,
    /// Faults that took place, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Over every line of the trace.
    pub hash: u64,
    /// Its lines, if they were asked for.
    pub trace: Vec<String>,
    /// Virtual time that it took, in milliseconds.
    pub virtual_ms: u64,
}
