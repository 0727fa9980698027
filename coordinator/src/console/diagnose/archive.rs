//! The archive itself: tar in gzip, one folder.

use super::readme::Told;
use flate2::{Compression, write::GzEncoder};
use shared::{calendar::rfc3339, time::Timestamp};
use std::io;

/// As `rfc3339`, of what may stand in a file's name.
fn stamp(at: Timestamp) -> String {
    rfc3339(at).chars().filter(char::is_ascii_alphanumeric).collect()
}

/// What it is called where nobody says.
pub fn file_name(at: Timestamp) -> String {
    format!("isochron-diagnose-{}.tar.gz", stamp(at))
}

/// All files below one folder, the README first.
///
/// # Errors
/// None of memory's own; `tar` refuses a name that is too long.
pub fn archive(at: Timestamp, name: Option<&str>, told: &Told, files: &[(String, String)]) -> io::Result<Vec<u8>> {
    let folder = format!("isochron-diagnose-{}", stamp(at));
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let readme = ("README.txt".to_owned(), told.readme(at, name));
    for (file, text) in std::iter::once(&readme).chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        // Only whoever asked may read it, until he says otherwise.
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(at.0 / 1_000).unwrap_or_default());
        tar.append_data(&mut header, format!("{folder}/{file}"), text.as_bytes())?;
    }
    tar.into_inner()?.finish()
}
