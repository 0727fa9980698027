//! The plane's ledger as a file: written beside, synced, renamed, folder synced. A reader sees the old or the new one,
//! never half; a power cut after `save` returned loses nothing.

use crate::{
    ports::{PlaneLedger, PortError},
    unread::unread,
};
use async_trait::async_trait;
use shared::{member::MemberLedger, reason::Reason};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::Mutex;

/// 32 attempts of a few hundred stores are some MB; what is larger is another file.
const MAX_FILE: u64 = 64 << 20;

/// [`PlaneLedger`] in one file. Owns a lock beside it for life, because the file is one process's.
pub struct FileLedger {
    file: PathBuf,
    /// Saves follow one another; the lock file keeps other processes out.
    turn: Arc<Mutex<File>>,
}

impl FileLedger {
    /// Takes the lock; makes the folder where it is missing.
    ///
    /// # Errors
    /// `LedgerLost` when another process holds the lock or the folder cannot be written.
    pub fn open(file: impl Into<PathBuf>) -> Result<Self, PortError> {
        let file = file.into();
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            PortError::refused(Reason::LedgerLost, format!("{what} {}: {error}", file.display()))
        };
        fs::create_dir_all(folder(&file)).map_err(|error| failed("cannot make the folder of", &error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside(&file, "lock"))
            .map_err(|error| failed("cannot open the lock of", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(failed("cannot use", &"another plane actor runs on it")),
            Err(TryLockError::Error(error)) => return Err(failed("cannot lock", &error)),
        }
        Ok(Self { file, turn: Arc::new(Mutex::new(lock)) })
    }

    /// Runs blocking file work in turn; a caller that gives up does not let the next one overtake it.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let file = self.file.clone();
        let shown = file.display().to_string();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&file)
        });
        let failed = |error: &dyn std::fmt::Display| PortError::Unavailable(format!("cannot {what} {shown}: {error}"));
        done.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

#[async_trait]
impl PlaneLedger for FileLedger {
    async fn load(&self) -> Result<MemberLedger, PortError> {
        let text = self.run("read", read).await?;
        match text {
            None => Ok(MemberLedger::default()),
            // Never taken for empty: that would forget the epochs obeyed.
            Some(text) => serde_json::from_slice(&text).map_err(|error| {
                let shown = self.file.display();
                PortError::refused(
                    Reason::LedgerLost,
                    format!("{shown} does not hold a ledger of this version: {}", unread(&error)),
                )
            }),
        }
    }

    async fn save(&self, ledger: &MemberLedger) -> Result<(), PortError> {
        let text = serde_json::to_vec(ledger)
            .map_err(|error| PortError::refused(Reason::Internal, format!("the ledger has no JSON form: {error}")))?;
        self.run("write", move |file| write(file, &text)).await
    }
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(metadata) if metadata.len() > MAX_FILE => {
            Err(io::Error::new(ErrorKind::InvalidData, format!("{} bytes are too many", metadata.len())))
        }
        Ok(_) => fs::read(file).map(Some),
    }
}

fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let draft = beside(file, "new");
    let mut out = File::create(&draft)?;
    out.write_all(text)?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(folder(file))?.sync_all()
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    file.with_file_name(name)
}
