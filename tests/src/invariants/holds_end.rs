//! I6: every hold ends by itself. Looked at continuously: no lease stands longer than reach and hold clocks and the leases
//! behind them allow, and nothing at all stands once no attempt has been live for that long.

use super::checker::{Checker, Entry, Look, Write};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::{Milestone, Record},
    ids::StoreId,
};
use std::collections::BTreeMap;

/// A plane's own lease, the longest lease that it may just have renewed, TiKV's whole seconds, and letting go (3 s a
/// part).
const AFTER_MS: u64 = 15_000 + 15_000 + 2_000 + 6_000;
/// Leases that strangers took, one after the other.
const STRANGERS_MS: u64 = 40_000;
/// Nobody sets longer clocks in a simulation than the defaults: 120 s to reach, 60 s to hold; the safe point's time to
/// live is the sum of the clocks plus a minute.
const CLOCKS_MS: u64 = 180_000;
const SAFE_POINT_MS: u64 = 360_000;

#[derive(Default)]
pub(super) struct Holds {
    since: BTreeMap<StoreId, u64>,
    /// When an attempt was last live, or may be.
    live: u64,
    told: bool,
}

impl Checker for Holds {
    fn name(&self) -> &'static str {
        "I6"
    }

    /// Somebody deletes the record of a live attempt: who drives it goes on until a clock of its own, or a save that is
    /// refused.
    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        if let (LedgerKey::Record(uid), Entry::Gone) = (write.key, write.entry)
            && write.before.records.get(uid).is_some_and(may_hold)
        {
            self.live = self.live.max(write.world.elapsed_ms() + CLOCKS_MS);
        }
        Vec::new()
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let (leases, paused, safe_points) = look.holds;
        self.since.retain(|store, _| leases.contains(store));
        for store in leases {
            self.since.entry(*store).or_insert(look.at);
        }
        if look.books.records.values().any(may_hold) {
            self.live = self.live.max(look.at);
        }
        if self.told {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        for (store, since) in &self.since {
            if look.at - since > CLOCKS_MS + AFTER_MS + STRANGERS_MS {
                wrong.push(format!("store {store} has been held for {} ms without a break", look.at - since));
            }
        }
        let quiet = look.at.saturating_sub(self.live);
        if quiet > AFTER_MS + STRANGERS_MS && !leases.is_empty() {
            wrong.push(format!("{leases:?} are held {quiet} ms after the last attempt was live"));
        }
        if quiet > AFTER_MS && *paused {
            wrong.push(format!("PD is paused {quiet} ms after the last attempt was live"));
        }
        if quiet > SAFE_POINT_MS + AFTER_MS && *safe_points > 0 {
            wrong.push(format!("{safe_points} safe points {quiet} ms after the last attempt was live"));
        }
        self.told = !wrong.is_empty();
        wrong
    }
}

fn may_hold(record: &Record) -> bool {
    matches!(record.milestone, Milestone::Barrier | Milestone::Snapshotting | Milestone::Aborting)
        || (record.milestone == Milestone::Certified && record.times.snapshots_created.is_none())
}
