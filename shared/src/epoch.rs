//! The fencing token of an attempt. It grows per TiDB cluster, is saved before anything is sent under it, and is in
//! every message and every answer, so that stale ones die by identity, not by timing (`design.md` §4, I1–I3).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Epoch of an attempt. `Epoch::NONE` (0) stands for "before the claim".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// No epoch yet: `Prepare` and its answer.
    pub const NONE: Epoch = Epoch(0);

    /// The first epoch above all of `seen`; `None` when the numbers are used up (u64::MAX was seen, which only a
    /// corrupted object can hold).
    pub fn above(seen: impl IntoIterator<Item = Epoch>) -> Option<Epoch> {
        let highest = seen.into_iter().max().unwrap_or(Epoch::NONE);
        highest.0.checked_add(1).map(Epoch)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
