//! The ledger with its size told to the metrics. What another process writes meanwhile is seen at the next list.

use crate::{
    metrics::Metrics,
    ports::{Entry, Ledger, LedgerKey, Noted, PortError, Text, Version},
};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct Counted {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
    known: Mutex<Known>,
}

/// Length of each text, as far as it is known, and the sums: a save must not cost what the whole ledger is large.
#[derive(Default)]
struct Known {
    lengths: BTreeMap<LedgerKey, u64>,
    /// Objects and bytes.
    records: (u64, u64),
    claims: (u64, u64),
}

impl Known {
    /// `None`: it is gone.
    fn set(&mut self, key: LedgerKey, bytes: Option<u64>) {
        let sum = match key {
            LedgerKey::Record(_) | LedgerKey::Restore(_) => &mut self.records,
            LedgerKey::Claim(_) => &mut self.claims,
        };
        let before = match bytes {
            Some(bytes) => {
                *sum = (sum.0 + 1, sum.1 + bytes);
                self.lengths.insert(key, bytes)
            }
            None => self.lengths.remove(&key),
        };
        if let Some(before) = before {
            *sum = (sum.0 - 1, sum.1 - before);
        }
    }

    /// Everything of the kind that `of` tells is this.
    fn list(&mut self, of: fn(&LedgerKey) -> bool, found: impl Iterator<Item = (LedgerKey, u64)>) {
        for key in self.lengths.keys().filter(|key| of(key)).cloned().collect::<Vec<_>>() {
            self.set(key, None);
        }
        found.for_each(|(key, bytes)| self.set(key, Some(bytes)));
    }
}

impl Counted {
    pub(super) fn new(ledger: Arc<dyn Ledger>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, metrics, known: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        self.metrics.ledger(known.records, known.claims);
    }
}

#[async_trait]
impl Ledger for Counted {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let records = self.ledger.records().await?;
        let found = |noted: &Noted| (LedgerKey::Record(noted.backup.clone()), noted.bytes.unwrap_or(0));
        self.change(|known| known.list(|key| matches!(key, LedgerKey::Record(_)), records.iter().map(found)));
        Ok(records)
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        let claims = self.ledger.claims().await?;
        let found = |entry: &Entry| (entry.key.clone(), entry.body.len() as u64);
        self.change(|known| known.list(|key| matches!(key, LedgerKey::Claim(_)), claims.iter().map(found)));
        Ok(claims)
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        let restores = self.ledger.restores().await?;
        let found = |entry: &Entry| (entry.key.clone(), entry.body.len() as u64);
        self.change(|known| known.list(|key| matches!(key, LedgerKey::Restore(_)), restores.iter().map(found)));
        Ok(restores)
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        self.ledger.read(key).await
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        let version = self.ledger.write(key, text, expected).await?;
        self.change(|known| known.set(key.clone(), Some(text.body.len() as u64)));
        Ok(version)
    }

    async fn may_write(&self) -> Result<(), PortError> {
        self.ledger.may_write().await
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        self.ledger.delete(key, expected).await?;
        self.change(|known| known.set(key.clone(), None));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::{BackupUid, ClusterId};

    #[test]
    fn the_sums_are_those_of_what_is_known() {
        let record = |name: &str| LedgerKey::Record(BackupUid::new(name));
        let claim = LedgerKey::Claim(ClusterId(7));
        let mut known = Known::default();
        known.set(record("a"), Some(10));
        known.set(claim.clone(), Some(3));
        known.set(record("a"), Some(12));
        known.set(record("b"), Some(1));
        assert_eq!((known.records, known.claims), ((2, 13), (1, 3)));
        known.set(record("b"), None);
        known.set(record("nobody"), None);
        assert_eq!((known.records, known.claims), ((1, 12), (1, 3)));
        known.list(|key| matches!(key, LedgerKey::Record(_)), [(record("c"), 5), (record("d"), 6)].into_iter());
        assert_eq!((known.records, known.claims), ((2, 11), (1, 3)));
        known.list(|key| matches!(key, LedgerKey::Claim(_)), std::iter::empty());
        assert_eq!((known.records, known.claims), ((2, 11), (0, 0)));
    }
}
