//! The ledger as files. Compare-and-set by a counter in the file; the first part of a version is drawn anew for each
//! life of a file, so that one which was deleted and made again is never mistaken for the old one.

use super::{
    disk,
    home::{Home, blocking},
};
use crate::ports::{Entry, LEDGER_TEXT_MAX, Ledger, LedgerKey, Noted, PortError, Text, Version};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::{
    ids::{BackupUid, ClusterId, RestoreUid},
    reason::{Reason, Refusal, cut},
    wire::TEXT_MAX,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Files that one access reads: some MB, far below its limit of time.
const BATCH: usize = 100;

/// Files `record-UID.json`, `claim-CLUSTER.json` and `restore-UID.json`.
pub struct LocalLedger {
    home: Arc<Home>,
}

#[derive(Serialize, Deserialize)]
struct LedgerFile {
    life: String,
    version: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
    body: String,
}

impl LedgerFile {
    fn token(&self) -> Version {
        Version(format!("{}.{}", self.life, self.version))
    }
}

impl LocalLedger {
    pub(super) fn new(home: Arc<Home>) -> Self {
        Self { home }
    }

    /// What is kept under the keys of a kind, a few files at a time: each access is bounded in time.
    async fn all(&self, of: impl Fn(&LedgerKey) -> bool + Send) -> Result<Vec<(LedgerKey, LedgerFile)>, PortError> {
        let home = self.home.clone();
        let mut keys = blocking("list the ledger", move || names(&home.inner())).await?;
        keys.retain(of);
        keys.sort();
        let mut all = Vec::new();
        for batch in keys.chunks(BATCH) {
            let (home, batch) = (self.home.clone(), batch.to_vec());
            all.extend(blocking("read the ledger", move || read_some(&home, batch)).await?);
        }
        Ok(all)
    }
}

fn path(home: &Home, key: &LedgerKey) -> Result<PathBuf, PortError> {
    let of_uid = |kind: &str, uid: &str| match plain(uid) {
        true => Ok(format!("{kind}-{uid}.json")),
        false => Err(PortError::Unavailable(format!("{uid:?} cannot be part of a file name"))),
    };
    let name = match key {
        LedgerKey::Record(uid) => of_uid("record", uid.as_str())?,
        LedgerKey::Restore(uid) => of_uid("restore", uid.as_str())?,
        LedgerKey::Claim(cluster) => format!("claim-{cluster}.json"),
    };
    Ok(home.inner().join(name))
}

/// Uids are made by us, or by an API server whose directory this was not; neither leads out of the directory.
fn plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn key(name: &str) -> Option<LedgerKey> {
    let stem = name.strip_suffix(".json")?;
    if let Some(uid) = stem.strip_prefix("record-") {
        return Some(LedgerKey::Record(BackupUid::new(uid)));
    }
    if let Some(uid) = stem.strip_prefix("restore-") {
        return Some(LedgerKey::Restore(RestoreUid::new(uid)));
    }
    stem.strip_prefix("claim-")?.parse().ok().map(|cluster| LedgerKey::Claim(ClusterId(cluster)))
}

/// A file that cannot be understood is an error, never an absence: it may be the only trace of snapshots.
fn read(path: &Path) -> Result<Option<LedgerFile>, PortError> {
    let broken =
        |error: &dyn std::fmt::Display| PortError::Unavailable(format!("cannot read {}: {error}", path.display()));
    match disk::read(path).map_err(|error| broken(&error))? {
        // It quotes a value that is wrong, which may be as long as the file is.
        Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| broken(&cut(error.to_string(), TEXT_MAX))),
        None => Ok(None),
    }
}

fn write(path: &Path, body: &str, note: &str, expected: Option<&Version>) -> Result<Version, PortError> {
    let conflict = |text: &str| Err(PortError::Conflict(format!("{}: {text}", path.display())));
    let next = match (read(path)?, expected) {
        (None, None) => {
            let life = uuid::Uuid::new_v4().simple().to_string();
            LedgerFile { life: life[..8].to_owned(), version: 1, note: note.to_owned(), body: body.to_owned() }
        }
        (Some(_), None) => return conflict("it exists already"),
        (None, Some(_)) => return conflict("it was deleted"),
        (Some(kept), Some(expected)) if kept.token() != *expected => return conflict("it has another version"),
        // A counter that starts at 1 and grows by saves does not reach the end of u64.
        (Some(kept), Some(_)) => LedgerFile {
            life: kept.life,
            version: kept.version.saturating_add(1),
            note: note.to_owned(),
            body: body.to_owned(),
        },
    };
    let text = serde_json::to_string_pretty(&next).map_err(|error| PortError::Unavailable(error.to_string()))?;
    disk::write(path, text.as_bytes())
        .map_err(|error| PortError::Unavailable(format!("cannot write {}: {error}", path.display())))?;
    Ok(next.token())
}

fn names(folder: &Path) -> Result<Vec<LedgerKey>, PortError> {
    let broken = |error: std::io::Error| PortError::Unavailable(format!("cannot read {}: {error}", folder.display()));
    let mut keys = Vec::new();
    for file in std::fs::read_dir(folder).map_err(broken)? {
        keys.extend(file.map_err(broken)?.file_name().to_str().and_then(key));
    }
    Ok(keys)
}

fn read_some(home: &Home, keys: Vec<LedgerKey>) -> Result<Vec<(LedgerKey, LedgerFile)>, PortError> {
    let mut some = Vec::new();
    for key in keys {
        // One that is gone meanwhile is no fault.
        let kept = read(&path(home, &key)?)?;
        some.extend(kept.map(|kept| (key, kept)));
    }
    Ok(some)
}

#[async_trait]
impl Ledger for LocalLedger {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let records = |key: &LedgerKey| matches!(key, LedgerKey::Record(_));
        let mut all = Vec::new();
        for (key, kept) in self.all(records).await? {
            if let LedgerKey::Record(backup) = key {
                let (version, bytes) = (kept.token(), Some(kept.body.len() as u64));
                all.push(Noted { backup, note: kept.note, version, bytes });
            }
        }
        Ok(all)
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        let claims = self.all(|key| matches!(key, LedgerKey::Claim(_))).await?;
        Ok(claims.into_iter().map(|(key, kept)| Entry { key, version: kept.token(), body: kept.body }).collect())
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        let restores = self.all(|key| matches!(key, LedgerKey::Restore(_))).await?;
        Ok(restores.into_iter().map(|(key, kept)| Entry { key, version: kept.token(), body: kept.body }).collect())
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        let (home, key) = (self.home.clone(), key.clone());
        blocking("read the ledger", move || {
            let kept = read(&path(&home, &key)?)?;
            Ok(kept.map(|kept| Entry { version: kept.token(), body: kept.body, key }))
        })
        .await
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        if text.body.len() > LEDGER_TEXT_MAX {
            let text = format!("{key:?} was not written: {} bytes, {LEDGER_TEXT_MAX} fit", text.body.len());
            return Err(Refusal::new(Reason::TooLarge, text).into());
        }
        let (home, key, expected) = (self.home.clone(), key.clone(), expected.cloned());
        let (body, note) = (text.body.to_owned(), text.note.to_owned());
        blocking("write the ledger", move || {
            let path = path(&home, &key)?;
            home.alone(|| write(&path, &body, &note, expected.as_ref()))
        })
        .await
    }

    async fn may_write(&self) -> Result<(), PortError> {
        let home = self.home.clone();
        blocking("open the ledger's lock file for writing", move || home.may_write()).await
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        let (home, key, expected) = (self.home.clone(), key.clone(), expected.clone());
        blocking("delete from the ledger", move || {
            let path = path(&home, &key)?;
            home.alone(|| match read(&path)? {
                None => Ok(()),
                Some(kept) if kept.token() != expected => {
                    Err(PortError::Conflict(format!("{}: it has another version", path.display())))
                }
                Some(_) => disk::remove(&path)
                    .map_err(|error| PortError::Unavailable(format!("cannot remove {}: {error}", path.display()))),
            })
        })
        .await
    }
}
