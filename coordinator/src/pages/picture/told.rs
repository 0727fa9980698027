//! The answer to `console timeline`, as far as it can be drawn.

use serde::Deserialize;
use std::collections::BTreeMap;

/// What an answer of an earlier version lacks is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Timeline {
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) step: String,
    pub(super) verdict: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) settle_ms: Option<u64>,
    pub(super) reach_ms: Option<u64>,
    pub(super) hold_ms: Option<u64>,
    pub(super) limits: BTreeMap<String, u64>,
    pub(super) planes: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) note: Option<String>,
}

/// One step; times in ms since the attempt began.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) step: String,
    pub(super) began_ms: u64,
    pub(super) ended_ms: Option<u64>,
    pub(super) planes: BTreeMap<String, u64>,
    pub(super) calls: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Step {
    /// As far as it is known.
    pub(super) fn ends(&self) -> u64 {
        let last = self.planes.values().max().copied().unwrap_or(self.began_ms);
        self.ended_ms.unwrap_or(last).max(self.began_ms)
    }

    /// Which of the colours it has.
    pub(super) fn kind(&self) -> &'static str {
        match self.step.as_str() {
            "Settling" => "settle",
            "Suspending" | "Covering" => "reach",
            "Snapshotting" | "Confirming" | "Releasing" => "hold",
            "Completing" | "Complete" => "copy",
            "Aborting" | "Failed" => "bad",
            _ => "plain",
        }
    }
}
