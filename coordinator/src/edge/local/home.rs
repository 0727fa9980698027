//! The directory, and the lock on it: who reads and writes there, and how.

use super::disk;
use crate::ports::PortError;
use shared::time::Timestamp;
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

/// Limit of one access. A disk that hangs must not hold an actor longer than a save may take (3 s, `design.md` §3).
const DISK_LIMIT: Duration = Duration::from_millis(2500);

/// Folders of `.isochron`.
const FOLDERS: [&str; 7] =
    ["made", "objects", "restores", "schedules", "status", "status/restores", "status/schedules"];

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

/// The directory and the lock on it.
pub(super) struct Home {
    pub(super) directory: PathBuf,
    /// One writer at a time in this process; the lock file keeps other processes away.
    writing: Mutex<()>,
    // Unlocked by the system when the file is closed, however the process ends.
    _lock: File,
}

impl Home {
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
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
    pub(super) fn inner(&self) -> PathBuf {
        self.directory.join(".isochron")
    }

    /// Can files there be opened for writing? Nothing is written.
    pub(super) fn may_write(&self) -> Result<(), PortError> {
        let path = self.inner().join("lock");
        File::options().write(true).open(&path).map(drop).map_err(|error| unavailable("write", &path, &error))
    }

    /// Runs `change` as the only writer.
    pub(super) fn alone<T>(&self, change: impl FnOnce() -> T) -> T {
        // The lock guards no data, so a panicking holder has spoilt nothing.
        let _guard = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change()
    }
}

pub(super) fn unavailable(verb: &str, path: &Path, error: &std::io::Error) -> PortError {
    PortError::Unavailable(format!("cannot {verb} {}: {error}", path.display()))
}

/// Time stamps of objects have whole seconds, as in Kubernetes.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(1000) * 1000)
}

/// Runs disk work off the runtime's threads, bounded in time.
pub(super) async fn blocking<T: Send + 'static>(
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
