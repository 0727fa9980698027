//! The ledger's half: compare-and-set on versions, and what a test may do to it.

use super::{Control, Inner, history, remembered::StoredText};
use async_trait::async_trait;
use coordinator::{
    actors::Stored,
    ports::{Entry, Ledger, LedgerKey, Noted, PortError, Text, Version},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::{
    barrier::{Claim, Record},
    reason::{Reason, Refusal},
};
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
        self.lock().ledger.iter().map(|(key, kept)| (key.clone(), kept.body.clone())).collect()
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

    /// Bytes of the longest record that there ever was.
    pub fn longest_record(&self) -> usize {
        self.lock().longest_record
    }

    /// Somebody puts a label on the ledger's objects: other versions, the same bodies.
    pub fn label_ledger(&self) {
        let mut inner = self.lock();
        let Inner { ledger, version, .. } = &mut *inner;
        for labelled in ledger.values_mut() {
            *version += 1;
            labelled.version = *version;
        }
    }

    /// Every record becomes what `change` makes of it, as if a version before this one had saved it last: without a note. No
    /// coordinator runs meanwhile.
    pub fn rewrite_records(&self, change: impl Fn(Record) -> Record) {
        let mut inner = self.lock();
        let Inner { ledger, version, .. } = &mut *inner;
        for (_, kept) in ledger.iter_mut().filter(|(key, _)| matches!(key, LedgerKey::Record(_))) {
            let Ok(stored) = Stored::<Record>::parse(&kept.body) else { continue };
            let Ok(body) = (Stored { body: change(stored.body), ..stored }).text() else { continue };
            *version += 1;
            *kept = StoredText { body, note: String::new(), version: *version };
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

    fn put(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        let mut inner = self.lock();
        let stored = inner.ledger.get(key).map(StoredText::token);
        if stored.as_ref() != expected {
            return Err(PortError::Conflict(format!("{key:?} is at {stored:?}, expected {expected:?}")));
        }
        if let Some(most) = inner.ledger_limit.filter(|most| text.body.len() > *most)
            && matches!(key, LedgerKey::Record(_))
            && !inner.ledger.get(key).is_some_and(|kept| is_certified(&kept.body))
            && !is_adopted(text.body)
        {
            let text = format!("{} bytes are above the limit of {most}", text.body.len());
            return Err(Refusal::new(Reason::TooLarge, text).into());
        }
        if matches!(key, LedgerKey::Record(_)) {
            inner.longest_record = inner.longest_record.max(text.body.len());
        }
        inner.version += 1;
        let version = inner.version;
        let kept = StoredText { body: text.body.to_owned(), note: text.note.to_owned(), version };
        inner.ledger.insert(key.clone(), kept);
        history::wrote(&mut inner, key, Some(text.body));
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
            Some(kept) if kept.token() == *expected => {
                inner.ledger.remove(key);
                history::wrote(&mut inner, key, None);
                Ok(())
            }
            Some(kept) => Err(PortError::Conflict(format!("{key:?} is at {}", kept.version))),
        }
    }
}

/// Reads a ledger object's text. `None`: it is no record.
pub fn parse_record(text: &str) -> Option<Record> {
    Stored::<Record>::parse(text).ok().map(|stored| stored.body)
}

/// Reads a ledger object's text. `None`: it is no claim.
pub fn parse_claim(text: &str) -> Option<Claim> {
    Stored::<Claim>::parse(text).ok().map(|stored| stored.body)
}

fn is_certified(body: &str) -> bool {
    parse_record(body).is_some_and(|record| record.certificate.is_some())
}

/// What was stored under another name. What is free at Preparing (`barrier::size`) is many times what this adds.
fn is_adopted(body: &str) -> bool {
    parse_record(body).is_some_and(|record| record.certificate.is_some() && record.adopted.is_some())
}

fn entry(key: &LedgerKey, kept: &StoredText) -> Entry {
    Entry { key: key.clone(), body: kept.body.clone(), version: kept.token() }
}

#[async_trait]
impl Ledger for Control {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        self.way().await;
        self.reach()?;
        let noted = |(key, kept): (&LedgerKey, &StoredText)| match key {
            LedgerKey::Record(backup) => Some(Noted {
                backup: backup.clone(),
                note: kept.note.clone(),
                version: kept.token(),
                bytes: Some(kept.body.len() as u64),
            }),
            LedgerKey::Claim(_) | LedgerKey::Restore(_) => None,
        };
        Ok(self.lock().ledger.iter().filter_map(noted).collect())
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        self.way().await;
        self.reach()?;
        let inner = self.lock();
        let claims = inner.ledger.iter().filter(|(key, _)| matches!(key, LedgerKey::Claim(_)));
        Ok(claims.map(|(key, kept)| entry(key, kept)).collect())
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        self.way().await;
        self.reach()?;
        let inner = self.lock();
        let restores = inner.ledger.iter().filter(|(key, _)| matches!(key, LedgerKey::Restore(_)));
        Ok(restores.map(|(key, kept)| entry(key, kept)).collect())
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        self.way().await;
        self.reach()?;
        Ok(self.lock().ledger.get(key).map(|kept| entry(key, kept)))
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        self.way().await;
        self.reach()?;
        let written = self.put(key, text, expected);
        self.way().await;
        written
    }

    async fn may_write(&self) -> Result<(), PortError> {
        self.way().await;
        self.reach()
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        self.way().await;
        self.reach()?;
        self.take_away(key, expected)
    }
}
