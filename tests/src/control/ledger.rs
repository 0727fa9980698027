//! The ledger's half: compare-and-set on versions, and what a test may do to it.

use super::{Control, Inner, history};
use async_trait::async_trait;
use coordinator::{
    actors::Stored,
    ports::{Entry, Ledger, LedgerKey, PortError, Version},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::barrier::Record;
use std::{collections::BTreeMap, time::Duration};

impl Control {
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

    /// Records that have no certificate yet may not grow beyond so many bytes. (What has been stored with its certificate
    /// fits, with the wide margin that the rest of its life needs.)
    pub fn limit_ledger(&self, most: Option<usize>) {
        self.lock().ledger_limit = most;
    }

    /// Somebody puts a label on the ledger's objects: other versions, the same bodies.
    pub fn label_ledger(&self) {
        let mut inner = self.lock();
        let Inner { ledger, version, .. } = &mut *inner;
        for (_, labelled) in ledger.values_mut() {
            *version += 1;
            *labelled = *version;
        }
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
        if let Some(most) = inner.ledger_limit.filter(|most| body.len() > *most)
            && matches!(key, LedgerKey::Record(_))
            && !inner.ledger.get(key).is_some_and(|(stored, _)| is_certified(stored))
        {
            return Err(PortError::Unavailable(format!("{} bytes are above the limit of {most}", body.len())));
        }
        inner.version += 1;
        let version = inner.version;
        inner.ledger.insert(key.clone(), (body.to_owned(), version));
        history::wrote(&mut inner, key, Some(body));
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
                history::wrote(&mut inner, key, None);
                Ok(())
            }
            Some((_, version)) => Err(PortError::Conflict(format!("{key:?} is at {version}"))),
        }
    }
}

fn is_certified(body: &str) -> bool {
    Stored::<Record>::parse(body).is_ok_and(|stored| stored.body.certificate.is_some())
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
