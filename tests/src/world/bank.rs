//! What the bank's clients have under way, and what they know of it.

use super::kv::Key;
use shared::ts::Ts;
use std::collections::BTreeMap;

/// A transfer that was committed, as its client knows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Transfer {
    /// Counts from 1.
    pub id: u64,
    /// Account that pays; its key is the primary.
    pub from: u32,
    /// Account that receives.
    pub to: u32,
    /// How much.
    pub amount: i64,
    /// Names the transaction in every row.
    pub start_ts: Ts,
    /// From when on it is visible.
    pub commit_ts: Ts,
    /// The world's mark when the primary was committed: an order of causes, no time.
    pub mark: u64,
}

#[derive(Default)]
pub(crate) struct Bank {
    pub(super) next: u64,
    pub(super) open: BTreeMap<u64, Open>,
    pub(crate) history: BTreeMap<Ts, Transfer>,
    /// Transfers committed, by second of the world.
    pub(crate) per_second: BTreeMap<u64, u64>,
    pub(crate) committed: u64,
    pub(crate) abandoned: u64,
}

#[derive(Clone)]
pub(super) struct Open {
    pub(super) transfer: Transfer,
    pub(super) prewrites: u8,
    pub(super) failed: bool,
    pub(super) dies: Death,
}

/// Where a client dies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    Never,
    AfterPrewrite,
    AfterPrimary,
}

/// Who waits for a command.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    Prewrite(u64, Key),
    Primary(u64),
    Job(Job),
}

/// A commit or rollback of one key that is repeated until the lock is gone.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(super) key: Key,
    pub(super) start_ts: Ts,
    /// `None`: roll back.
    pub(super) commit: Option<Ts>,
}
