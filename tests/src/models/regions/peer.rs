//! What a region is, and what a store holds of it.

use super::kv::{Key, Rows};
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};
use std::{collections::BTreeSet, sync::Arc};

/// First index of a region's log, as in TiKV (RAFT_INIT_LOG_INDEX).
pub(crate) const FIRST_INDEX: u64 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// What a new leader writes first.
    Noop,
    Prewrite {
        key: Key,
        start_ts: Ts,
        primary: Key,
        value: i64,
    },
    Commit {
        key: Key,
        start_ts: Ts,
        commit_ts: Ts,
    },
    Rollback {
        key: Key,
        start_ts: Ts,
    },
    Ingest {
        file: u64,
    },
    /// The child takes the left part, the region keeps the right one (right-derive, TiKV's default).
    Split {
        at: Key,
        child: RegionId,
    },
    PrepareMerge {
        target: RegionId,
    },
    CommitMerge {
        source: RegionId,
        prepared_at: u64,
        entries: Vec<Arc<Entry>>,
    },
    RollbackMerge,
    ChangePeer {
        add: StoreId,
        remove: StoreId,
    },
    Compact {
        up_to: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) term: u64,
    /// When it was proposed, for the oracle.
    pub(crate) mark: u64,
    pub(crate) command: Command,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) start: Key,
    pub(crate) end: Key,
    pub(crate) conf_ver: u64,
    pub(crate) version: u64,
    pub(crate) peers: BTreeSet<StoreId>,
}

impl Descriptor {
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && (self.end.is_empty() || key < self.end.as_slice())
    }
    pub(crate) fn majority(&self) -> usize {
        self.peers.len() / 2 + 1
    }
}

/// A region on one store: what its two volumes hold.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) region: Descriptor,
    pub(crate) rows: Rows,
    pub(crate) ingested: BTreeSet<u64>,
    pub(crate) first: u64,
    pub(crate) log: Vec<Arc<Entry>>,
    pub(crate) applied: u64,
    /// Set from PrepareMerge until CommitMerge or RollbackMerge: (target, index of PrepareMerge).
    pub(crate) merging: Option<(RegionId, u64)>,
    /// 0: not initialised.
    pub(crate) safe_ts: Ts,
    /// What its leader had applied when it said so.
    pub(crate) safe_at: u64,
    /// Index of the last merge that was applied here.
    pub(crate) merged_at: u64,
    pub(crate) resolver_ready: bool,
    pub(crate) apply_queued: bool,
}

impl Peer {
    pub(crate) fn new(region: Descriptor, rows: Rows) -> Self {
        Self {
            region,
            rows,
            ingested: BTreeSet::new(),
            first: FIRST_INDEX,
            log: Vec::new(),
            applied: FIRST_INDEX - 1,
            merging: None,
            safe_ts: Ts::ZERO,
            safe_at: 0,
            merged_at: 0,
            resolver_ready: false,
            apply_queued: false,
        }
    }
    pub(crate) fn last(&self) -> u64 {
        self.first + self.log.len() as u64 - 1
    }
    pub(crate) fn term(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.term)
    }
    pub(crate) fn entry(&self, index: u64) -> Option<&Arc<Entry>> {
        self.log.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
    pub(crate) fn after(&self, index: u64) -> &[Arc<Entry>] {
        let from = usize::try_from((index + 1).saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.log.get(from..).unwrap_or(&[])
    }
}

/// What all peers of a region agree on.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) leader: StoreId,
    pub(crate) term: u64,
    pub(crate) commit: u64,
    /// A new leader serves once it has applied this.
    pub(crate) serves_from: u64,
    /// Index of an admin command proposed and not yet applied by the leader: TiKV proposes one at a time.
    pub(crate) admin_at: u64,
    /// A copy that receives the log and has no vote yet.
    pub(crate) learner: Option<StoreId>,
}
