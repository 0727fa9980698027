//! What was left of stores' leases when their renewals came: how near holds were to their end, as TiKV knows it.

use shared::{ids::StoreId, time::Millis};
use std::collections::BTreeMap;

/// Times in the world's milliseconds.
#[derive(Default)]
pub(crate) struct Margins {
    /// By store and prepare stream: when the last renewal ends.
    until: BTreeMap<(StoreId, u64), u64>,
    /// The least that was left.
    pub(crate) least: Option<u64>,
}

impl Margins {
    /// A renewal came; of no length it is a probe.
    pub(crate) fn renewed(&mut self, stream: (StoreId, u64), now: u64, length: Millis) {
        if length.0 == 0 {
            return;
        }
        if let Some(until) = self.until.insert(stream, now.saturating_add(length.0)) {
            let left = until.saturating_sub(now);
            self.least = Some(self.least.map_or(left, |least| least.min(left)));
        }
    }
}
