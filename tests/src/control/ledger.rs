//! The ledger's half: compare-and-set on versions, and what a test may do to it.

use super::{Control, Inner};
use async_trait::async_trait;
use coordinator::ports::{Entry, Ledger, LedgerKey, PortError, Version};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{collections::BTreeMap, time::Duration};

impl Control {
    /// From now on every ledger write is remembered for [`Self::take_writes`].
    pub fn remember_writes(&self) {
        self.lock().writes.get_or_insert_default();
    }

    /// Ledger writes since the last call, in order: key and text, no text for a deletion.
    pub fn take_writes(&self) -> Vec<(LedgerKey, Option<String>)> {
        self.lock().writes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// One way of a ledger call takes so many milliseconds; a write happens in between.
    pub fn ledger_takes(&self, from: u64, to: u64, seed: u64) {
        self.lock().ledger_way = Some(((from, to.max(from)), SmallRng::seed_from_u64(seed)));
    }

    /// The ledger does not answer, or does again.
    pub fn ledger_down(&self, down: bool) {
        self.lock().ledger_down = down;
    }

    /// Records and claims: key and JSON text.
    pub fn ledger(&self) -> BTreeMap<LedgerKey, String> {
        self.lock().ledger.iter().map(|(key, (body, _))| (key.clone(), body.clone())).collect()
    }

    /// The next `count` ledger writes happen, and their answers are lost.
    pub fn lose_ledger_answers(&self, count: u32) {
        self.lock().lose_ledger_answers = count;
    }

    async fn way(&self) {
        let length = self.lock().ledger_way.as_mut().map_or(0, |((from, to), random)| random.random_range(*from..=*to));
        if length > 0 {
            tokio::time::sleep(Duration::from_millis(length)).await;
        }
    }

    fn reach(&self) -> Result<(), PortError> {
        if self.lock().ledger_down {
            Err(PortError::Unavailable("the ledger does not answer".to_owned()))
        } else {
            Ok(())
        }
    }

    fn put(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        let mut inner = self.lock();
        let stored = inner.ledger.get(key).map(|(_, version)| Version(version.to_string()));
        if stored.as_ref() != expected {
            return Err(PortError::Conflict(format!("{key:?} is at {stored:?}, expected {expected:?}")));
        }
        inner.version += 1;
        let version = inner.version;
        inner.ledger.insert(key.clone(), (body.to_owned(), version));
        noted(&mut inner, key, Some(body));
        if inner.lose_ledger_answers > 0 {
            inner.lose_ledger_answers -= 1;
            return Err(PortError::Unavailable("answer lost".to_owned()));
        }
        Ok(Version(version.to_string()))
    }

    fn take_away(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        let mut inner = self.lock();
        match inner.ledger.get(key) {
            None => Ok(()),
            Some((_, version)) if version.to_string() == expected.0 => {
                inner.ledger.remove(key);
                noted(&mut inner, key, None);
                Ok(())
            }
            Some((_, version)) => Err(PortError::Conflict(format!("{key:?} is at {version}"))),
        }
    }
}

/// Remembers a write, if somebody wants to know.
pub(super) fn noted(inner: &mut Inner, key: &LedgerKey, body: Option<&str>) {
    if let Some(writes) = &mut inner.writes {
        writes.push((key.clone(), body.map(str::to_owned)));
    }
}

#[async_trait]
impl Ledger for Control {
    async fn list(&self) -> Result<Vec<Entry>, PortError> {
        self.way().await;
        self.reach()?;
        let entry = |(key, (body, version)): (&LedgerKey, &(String, u64))| Entry {
            key: key.clone(),
            body: body.clone(),
            version: Version(version.to_string()),
        };
        Ok(self.lock().ledger.iter().map(entry).collect())
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        Ok(self.list().await?.into_iter().find(|entry| &entry.key == key))
    }

    async fn write(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        self.way().await;
        self.reach()?;
        let written = self.put(key, body, expected);
        self.way().await;
        written
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        self.way().await;
        self.reach()?;
        self.take_away(key, expected)
    }
}
