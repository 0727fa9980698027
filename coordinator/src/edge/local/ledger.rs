//! The ledger as files. Compare-and-set by a counter in the file; the first part of a version is drawn anew for each
//! life of a file, so that one which was deleted and made again is never mistaken for the old one.

use super::{Home, blocking, disk};
use crate::ports::{Entry, Ledger, LedgerKey, PortError, Version};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::ids::{BackupUid, ClusterId};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bodies are at most this long (`ports::Ledger`).
const MAX_BODY: usize = 256 * 1024;

/// Files `record-UID.json` and `claim-CLUSTER.json`.
pub struct LocalLedger {
    home: Arc<Home>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    life: String,
    version: u64,
    body: String,
}

impl Kept {
    fn token(&self) -> Version {
        Version(format!("{}.{}", self.life, self.version))
    }
}

impl LocalLedger {
    pub(super) fn new(home: Arc<Home>) -> Self {
        Self { home }
    }
}

fn path(home: &Home, key: &LedgerKey) -> Result<PathBuf, PortError> {
    let name = match key {
        LedgerKey::Record(uid) if plain(uid.as_str()) => format!("record-{uid}.json"),
        LedgerKey::Record(uid) => {
            return Err(PortError::Unavailable(format!("{:?} cannot be part of a file name", uid.as_str())));
        }
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
    stem.strip_prefix("claim-")?.parse().ok().map(|cluster| LedgerKey::Claim(ClusterId(cluster)))
}

/// A file that cannot be understood is an error, never an absence: it may be the only trace of snapshots.
fn read(path: &Path) -> Result<Option<Kept>, PortError> {
    let broken =
        |error: &dyn std::fmt::Display| PortError::Unavailable(format!("cannot read {}: {error}", path.display()));
    match disk::read(path).map_err(|error| broken(&error))? {
        Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| broken(&error)),
        None => Ok(None),
    }
}

fn write(path: &Path, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
    let conflict = |text: &str| Err(PortError::Conflict(format!("{}: {text}", path.display())));
    let next = match (read(path)?, expected) {
        (None, None) => {
            let life = uuid::Uuid::new_v4().simple().to_string();
            Kept { life: life[..8].to_owned(), version: 1, body: body.to_owned() }
        }
        (Some(_), None) => return conflict("it exists already"),
        (None, Some(_)) => return conflict("it was deleted"),
        (Some(kept), Some(expected)) if kept.token() != *expected => return conflict("it has another version"),
        // A counter that starts at 1 and grows by saves does not reach the end of u64.
        (Some(kept), Some(_)) => {
            Kept { life: kept.life, version: kept.version.saturating_add(1), body: body.to_owned() }
        }
    };
    let text = serde_json::to_string_pretty(&next).map_err(|error| PortError::Unavailable(error.to_string()))?;
    disk::write(path, text.as_bytes())
        .map_err(|error| PortError::Unavailable(format!("cannot write {}: {error}", path.display())))?;
    Ok(next.token())
}

#[async_trait]
impl Ledger for LocalLedger {
    async fn list(&self) -> Result<Vec<Entry>, PortError> {
        let home = self.home.clone();
        blocking("list the ledger", move || {
            let folder = home.inner();
            let broken =
                |error: std::io::Error| PortError::Unavailable(format!("cannot read {}: {error}", folder.display()));
            let mut entries = Vec::new();
            for file in std::fs::read_dir(&folder).map_err(broken)? {
                let file = file.map_err(broken)?;
                let Some(key) = file.file_name().to_str().and_then(key) else { continue };
                if let Some(kept) = read(&file.path())? {
                    entries.push(Entry { version: kept.token(), body: kept.body, key });
                }
            }
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(entries)
        })
        .await
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        let (home, key) = (self.home.clone(), key.clone());
        blocking("read the ledger", move || {
            let kept = read(&path(&home, &key)?)?;
            Ok(kept.map(|kept| Entry { version: kept.token(), body: kept.body, key }))
        })
        .await
    }

    async fn write(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        if body.len() > MAX_BODY {
            return Err(PortError::Unavailable(format!(
                "{key:?} was not written: its {} bytes are above {MAX_BODY}",
                body.len()
            )));
        }
        let (home, key, body, expected) = (self.home.clone(), key.clone(), body.to_owned(), expected.cloned());
        blocking("write the ledger", move || {
            let path = path(&home, &key)?;
            home.alone(|| write(&path, &body, expected.as_ref()))
        })
        .await
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
