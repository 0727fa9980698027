//! Stand-alone: a directory in the place of an API server (DESIGN §12).
//!
//! ```text
//! DIR/*.yaml, *.yml                       the user's, never rewritten; removing a file or a document deletes the object
//! DIR/.isochron/lock                      held for as long as a coordinator runs: two never share a directory
//! DIR/.isochron/made/NS.NAME.yaml         backups that schedules made: theirs to write, the user's to edit or remove
//! DIR/.isochron/objects/NS.NAME.json      what we know of an object: uid, finalizer, its last good text
//! DIR/.isochron/status/NS.NAME.yaml       its status, as `kubectl get -o yaml` would show it
//! DIR/.isochron/schedules/NS.NAME.json    what we know of a schedule: uid, birth, its last good text
//! DIR/.isochron/status/schedules/…        its status
//! DIR/.isochron/record-UID.json           the ledger
//! DIR/.isochron/claim-CLUSTER.json
//! ```
//!
//! A namespace has no dots, so the first dot of `NS.NAME` parts the two.

mod disk;
mod documents;
mod kept;
mod ledger;
mod objects;
mod scan;
mod schedules;
mod source;

use crate::ports::PortError;
use shared::{cron::Zone, request::Limits, time::Timestamp};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

pub use ledger::LocalLedger;
pub use objects::LocalObjects;
pub use schedules::LocalSchedules;
pub use source::LocalSource;

/// Limit of one access. A disk that hangs must not hold an actor longer than a save may take (3 s, DESIGN §3).
const DISK_LIMIT: Duration = Duration::from_millis(2500);

/// Folders of `.isochron`.
const FOLDERS: [&str; 5] = ["made", "objects", "schedules", "status", "status/schedules"];

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another coordinator; stop that one, or use another directory")]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// An open directory: the ports on it share its lock.
#[derive(Clone)]
pub struct Local {
    /// What the source reads.
    pub source: Arc<LocalSource>,
    /// Records and claims.
    pub ledger: Arc<LocalLedger>,
    /// Status and finalizers.
    pub objects: Arc<LocalObjects>,
    /// Schedules and the backups that they make.
    pub schedules: Arc<LocalSchedules>,
}

impl Local {
    /// Takes `directory` (made if it is not there) for this process. `defaults`: bounds of backups that set none; `zone`:
    /// of schedules that name none.
    pub fn open(
        directory: &Path,
        defaults: Limits,
        zone: Zone,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Result<Self, OpenError> {
        let home = Arc::new(Home::open(directory)?);
        let backups = Arc::new(objects::Store::open(home.clone())?);
        let schedules = Arc::new(schedules::ScheduleStore::open(home.clone())?);
        let stores = source::Stores { backups: backups.clone(), schedules: schedules.clone() };
        Ok(Self {
            source: Arc::new(LocalSource::new(home.clone(), stores, defaults.clone(), wall.clone())),
            ledger: Arc::new(LocalLedger::new(home.clone())),
            objects: Arc::new(LocalObjects::new(backups.clone(), wall.clone())),
            schedules: Arc::new(LocalSchedules::new(home, schedules, backups, defaults, zone, wall)),
        })
    }
}

/// The directory and the lock on it.
struct Home {
    directory: PathBuf,
    /// One writer at a time in this process; the lock file keeps other processes away.
    writing: Mutex<()>,
    // Unlocked by the system when the file is closed, however the process ends.
    _lock: File,
}

impl Home {
    fn open(directory: &Path) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let inner = directory.join(".isochron");
        let folders = FOLDERS.map(|folder| inner.join(folder));
        for folder in &folders {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let path = inner.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(OpenError::Io { path, source }),
        }
        for folder in folders.iter().chain([&inner]) {
            disk::remove_leftovers(folder).map_err(at(folder))?;
        }
        Ok(Self { directory: directory.to_owned(), writing: Mutex::new(()), _lock: lock })
    }

    /// `.isochron`
    fn inner(&self) -> PathBuf {
        self.directory.join(".isochron")
    }

    /// Runs `change` as the only writer.
    fn alone<T>(&self, change: impl FnOnce() -> T) -> T {
        // The lock guards no data, so a panicking holder has spoilt nothing.
        let _guard = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change()
    }
}

fn unavailable(verb: &str, path: &Path, error: &std::io::Error) -> PortError {
    PortError::Unavailable(format!("cannot {verb} {}: {error}", path.display()))
}

/// Time stamps of objects have whole seconds, as in Kubernetes.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(1000) * 1000)
}

/// Runs disk work off the runtime's threads, bounded in time.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    match tokio::time::timeout(DISK_LIMIT, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(PortError::Unavailable(format!("{what}: {error}"))),
        Err(_) => Err(PortError::Unavailable(format!(
            "{what}: the disk did not answer within {} ms; the outcome is unknown",
            DISK_LIMIT.as_millis()
        ))),
    }
}

#[cfg(test)]
mod tests;
