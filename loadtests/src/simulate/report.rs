//! What many seeds came to.

use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tests::sim::{Kind, Outcome};

/// Violations told in full; the count goes on.
const TOLD: usize = 50;

/// Sums over seeds.
#[derive(Default)]
pub(crate) struct Report {
    kinds: Vec<&'static str>,
    attempts: u64,
    seeds: Option<(u64, u64)>,
    outcomes: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
    violations: Vec<Value>,
    broken: u64,
    compared: u64,
    different: Vec<u64>,
    virtual_ms: u64,
    elapsed: Duration,
}

impl Report {
    /// Of a run with faults of these kinds alone; none: of all.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        Self { kinds: kinds.iter().map(|kind| kind.name()).collect(), ..Self::default() }
    }

    /// The one command that shows how a seed went.
    pub(crate) fn replay(&self, seed: u64) -> String {
        let kinds = match self.kinds.as_slice() {
            [] => String::new(),
            kinds => format!(" --kinds '{}'", kinds.join(";")),
        };
        format!("cargo run --profile sim -p isochron-loadtests -- simulate --seed {seed} --attempts 1 --trace{kinds}")
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.attempts += 1;
        let (first, last) = self.seeds.unwrap_or((outcome.seed, outcome.seed));
        self.seeds = Some((first.min(outcome.seed), last.max(outcome.seed)));
        self.virtual_ms += outcome.virtual_ms;
        for end in &outcome.ends {
            *self.outcomes.entry(end.clone()).or_default() += 1;
        }
        for (fault, count) in &outcome.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for violation in &outcome.violations {
            self.broken += 1;
            if self.violations.len() < TOLD {
                let replay = self.replay(outcome.seed);
                self.violations.push(json!({
                    "seed": outcome.seed,
                    "invariant": violation.invariant,
                    "text": violation.text,
                    "replay": replay,
                }));
            }
        }
    }

    /// The same seed was run twice.
    pub(crate) fn compare(&mut self, first: &Outcome, second: &Outcome) {
        self.compared += 1;
        if first.hash != second.hash {
            self.different.push(first.seed);
        }
    }

    pub(crate) fn finish(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    fn is_replayable(&self) -> bool {
        self.different.is_empty()
    }

    pub(crate) fn holds(&self) -> bool {
        self.broken == 0 && self.is_replayable()
    }

    pub(crate) fn line(&self) -> String {
        let complete = self.outcomes.get("Complete").copied().unwrap_or(0);
        format!("{} attempts, {complete} backups Complete, {} violations", self.attempts, self.broken)
    }

    fn rate(&self) -> f64 {
        self.attempts as f64 / self.elapsed.as_secs_f64().max(0.001)
    }

    pub(crate) fn json(&self) -> String {
        let (first, last) = self.seeds.unwrap_or_default();
        let drawn = |kind: &&Kind| self.kinds.is_empty() || self.kinds.contains(&kind.name());
        let names = Kind::ALL.iter().filter(drawn).map(|kind| kind.name());
        let never: Vec<_> = names.filter(|name| !self.faults.contains_key(name)).collect();
        let shown = json!({
            "attempts": self.attempts,
            "seeds": {"first": first, "last": last},
            "outcomes": self.outcomes,
            "faults": self.faults,
            "faults_never_seen": never,
            "violations": self.violations,
            "violations_total": self.broken,
            "replayable": self.is_replayable(),
            "replayed": self.compared,
            "replayed_differently": self.different,
            "virtual_seconds": self.virtual_ms / 1000,
            "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "attempts_per_second": (self.rate() * 10.0).round() / 10.0,
        });
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        let (first, last) = self.seeds.unwrap_or_default();
        let mut lines = vec![format!(
            "{} attempts (seeds {first} to {last}) in {} s, {:.1} a second, {} hours of virtual time",
            self.attempts,
            self.elapsed.as_secs(),
            self.rate(),
            self.virtual_ms / 3_600_000
        )];
        lines.push("Outcomes:".to_owned());
        lines.extend(self.outcomes.iter().map(|(end, count)| format!("  {count:>8}  {end}")));
        lines.push("Faults that took place:".to_owned());
        lines.extend(self.faults.iter().map(|(fault, count)| format!("  {count:>8}  {fault}")));
        lines.push(format!("{} of {} seeds run twice gave other bytes", self.different.len(), self.compared));
        lines.extend(self.different.iter().map(|seed| format!("  seed {seed}")));
        lines.push(format!("{} violations", self.broken));
        for violation in &self.violations {
            let text = |key: &str| violation[key].as_str().unwrap_or_default().to_owned();
            lines.push(format!("  seed {}: {}: {}", violation["seed"], text("invariant"), text("text")));
            lines.push(format!("    {}", text("replay")));
        }
        lines.join("\n")
    }
}
