//! Files of an authority: made once, or replaced as a whole.

use super::error::{PkiError, file};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Held by the one command that writes: two that read and wrote the index at once would lose a certificate, which then
/// could not be revoked. Given back with the returned file.
pub(super) fn alone(dir: &Path) -> Result<fs::File, PkiError> {
    let path = dir.join("lock");
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = lock.map_err(file(&path))?;
    lock.lock().map_err(file(&path))?;
    Ok(lock)
}

pub(super) fn create(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(mode).open(path).and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => PkiError::Exists(path.to_owned()),
        _ => file(path)(error),
    })
}

pub(super) fn replace(path: &Path, text: &str) -> Result<(), PkiError> {
    let part = path.with_extension("new");
    let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&part);
    let written = written.and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.sync_all()
    });
    written.and_then(|()| fs::rename(&part, path)).map_err(file(path))
}

/// It may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), PkiError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(path)(error)),
        _ => Ok(()),
    }
}

/// Gives a file another name, which nothing has yet.
pub(super) fn set_aside(path: &Path, aside: &Path) -> Result<(), PkiError> {
    if aside.exists() {
        return Err(PkiError::Exists(aside.to_owned()));
    }
    fs::rename(path, aside).map_err(file(path))
}
