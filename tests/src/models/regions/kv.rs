//! Rows as TiKV keeps them: a Percolator lock and committed versions. Balances are the only values.

use shared::ts::Ts;
use std::collections::BTreeMap;

pub(crate) type Key = Vec<u8>;
pub(crate) type Rows = BTreeMap<Key, Row>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) start_ts: Ts,
    pub(crate) primary: Key,
    pub(crate) value: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) start_ts: Ts,
    pub(crate) value: i64,
    /// The key was deleted. Only a flashback deletes: what was not there at its version.
    pub(crate) gone: bool,
}

impl Write {
    pub(crate) fn put(start_ts: Ts, value: i64) -> Self {
        Self { start_ts, value, gone: false }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) lock: Option<Lock>,
    /// By commit_ts.
    pub(crate) writes: BTreeMap<Ts, Write>,
}

impl Row {
    /// Newest version that a reader at `ts` sees.
    pub(crate) fn at(&self, ts: Ts) -> Option<(Ts, Write)> {
        self.writes.range(..=ts).next_back().map(|(commit, write)| (*commit, *write))
    }

    /// The commit_ts under which the transaction of `start_ts` was committed here.
    pub(crate) fn committed(&self, start_ts: Ts) -> Option<Ts> {
        self.writes.iter().rev().find(|(_, write)| write.start_ts == start_ts).map(|(commit, _)| *commit)
    }

    pub(crate) fn locked_by(&self, start_ts: Ts) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.start_ts == start_ts)
    }

    pub(crate) fn commit(&mut self, start_ts: Ts, commit_ts: Ts) -> bool {
        let Some(lock) = self.lock.take_if(|lock| lock.start_ts == start_ts) else { return false };
        self.writes.insert(commit_ts, Write::put(start_ts, lock.value));
        true
    }

    /// Drops what no reader at or above `safe_point` can see: all versions below the newest one at or under it.
    pub(crate) fn collect_garbage(&mut self, safe_point: Ts) {
        let Some((keep, _)) = self.at(safe_point) else { return };
        self.writes = self.writes.split_off(&keep);
    }
}

/// Account number to key. Fixed width, so that keys sort as numbers do.
pub(crate) fn account_key(account: u32) -> Key {
    format!("acct-{account:08}").into_bytes()
}

/// The inverse; `None` for keys that are no account.
pub(crate) fn account_of(key: &[u8]) -> Option<u32> {
    std::str::from_utf8(key.strip_prefix(b"acct-")?).ok()?.parse().ok()
}

/// The version of every row that a reader at `ts` sees, open locks resolved by their primary: committed there at or
/// below `ts` means committed here, anything else means rolled back.
pub(crate) fn read_all(rows: &Rows, ts: Ts) -> BTreeMap<Key, (Ts, Write)> {
    let mut seen = BTreeMap::new();
    for (key, row) in rows {
        let by_lock = row.lock.as_ref().and_then(|lock| {
            let commit = rows.get(&lock.primary)?.committed(lock.start_ts)?;
            (commit <= ts).then_some((commit, Write::put(lock.start_ts, lock.value)))
        });
        if let Some(version) = by_lock.or_else(|| row.at(ts)).filter(|(_, write)| !write.gone) {
            seen.insert(key.clone(), version);
        }
    }
    seen
}
