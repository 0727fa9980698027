//! Durable files: whole or not at all, and there after a power cut once written.

use std::{
    fs::{self, File},
    io::{ErrorKind, Result, Write},
    path::Path,
};

/// Begins the names of files that are not finished.
const UNFINISHED: &str = ".unfinished-";

/// Writes a file so that a reader sees the old or the new content, and the new one is durable when this returns:
/// written aside, synced, renamed, and the folder synced.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let (folder, name) = parts(path)?;
    let aside = folder.join(format!("{UNFINISHED}{name}"));
    let mut file = File::create(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(folder)?.sync_all()
}

/// Removes a file durably; it need not be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => File::open(parts(path)?.0)?.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Content, `None` if the file is not there.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what a crash left half-written.
pub(super) fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn parts(path: &Path) -> Result<(&Path, std::borrow::Cow<'_, str>)> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok((folder, name.to_string_lossy())),
        _ => Err(std::io::Error::new(ErrorKind::InvalidInput, "not the path of a file")),
    }
}
