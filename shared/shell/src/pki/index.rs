//! What was issued: one line per certificate.

use super::{
    error::{PkiError, file, not_ours},
    files::replace,
};
use shared::time::Timestamp;
use std::{fs, path::Path};

/// One line of the index. Times in seconds of the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) serial: String,
    pub(super) kind: String,
    /// As in its SPIFFE id.
    pub(super) name: String,
    pub(super) not_after: i64,
    pub(super) revoked: Option<i64>,
    /// Number of the authority that signed it; what an earlier version wrote names none: the first.
    pub(super) ca: u64,
}

impl Entry {
    /// Nobody believes it any more, whatever else is said of it.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.not_after < now.0.div_euclid(1000)
    }
}

pub(super) fn read(dir: &Path) -> Result<Vec<Entry>, PkiError> {
    let path = dir.join("index");
    let text = fs::read_to_string(&path).map_err(file(&path))?;
    text.lines()
        .enumerate()
        .map(|(number, line)| parse(line).ok_or_else(|| not_ours(&path, format!("line {} cannot be read", number + 1))))
        .collect()
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let entry = Entry {
        serial: words.next()?.to_owned(),
        kind: words.next()?.to_owned(),
        name: words.next()?.to_owned(),
        not_after: words.next()?.parse().ok()?,
        revoked: match words.next()? {
            "valid" => None,
            word => Some(word.strip_prefix("revoked:")?.parse().ok()?),
        },
        ca: match words.next() {
            None => 1,
            Some(word) => word.strip_prefix("ca=")?.parse().ok()?,
        },
    };
    words.next().is_none().then_some(entry)
}

pub(super) fn write(dir: &Path, entries: &[Entry]) -> Result<(), PkiError> {
    let mut text = String::new();
    for entry in entries {
        let state = entry.revoked.map_or("valid".to_owned(), |at| format!("revoked:{at}"));
        let ca = if entry.ca == 1 { String::new() } else { format!(" ca={}", entry.ca) };
        text += &format!("{} {} {} {} {state}{ca}\n", entry.serial, entry.kind, entry.name, entry.not_after);
    }
    replace(&dir.join("index"), &text)
}
