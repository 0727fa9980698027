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
    /// Length of each text, as far as it is known.
    known: Mutex<BTreeMap<LedgerKey, u64>>,
}

impl Counted {
    pub(super) fn new(ledger: Arc<dyn Ledger>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, metrics, known: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<LedgerKey, u64>)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        let (mut records, mut claims) = ((0, 0), (0, 0));
        for (key, bytes) in known.iter() {
            let sum = match key {
                LedgerKey::Record(_) => &mut records,
                LedgerKey::Claim(_) => &mut claims,
            };
            *sum = (sum.0 + 1, sum.1 + bytes);
        }
        self.metrics.ledger(records, claims);
    }
}

#[async_trait]
impl Ledger for Counted {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let records = self.ledger.records().await?;
        self.change(|known| {
            known.retain(|key, _| !matches!(key, LedgerKey::Record(_)));
            let found = |noted: &Noted| (LedgerKey::Record(noted.backup.clone()), noted.bytes.unwrap_or(0));
            known.extend(records.iter().map(found));
        });
        Ok(records)
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        let claims = self.ledger.claims().await?;
        self.change(|known| {
            known.retain(|key, _| !matches!(key, LedgerKey::Claim(_)));
            known.extend(claims.iter().map(|entry| (entry.key.clone(), entry.body.len() as u64)));
        });
        Ok(claims)
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        self.ledger.read(key).await
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        let version = self.ledger.write(key, text, expected).await?;
        self.change(|known| {
            known.insert(key.clone(), text.body.len() as u64);
        });
        Ok(version)
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        self.ledger.delete(key, expected).await?;
        self.change(|known| {
            known.remove(key);
        });
        Ok(())
    }
}
