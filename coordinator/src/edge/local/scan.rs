//! What is in the directory, and in the folder of the backups that schedules made, once it stands still.
//!
//! An editor that truncates a file before it writes it shows us an empty or a half one for a moment, and an absent
//! document is a deletion. So a file's content, and its absence, counts only once two scans in a row saw the same.

use super::documents::{Fault, Parsed, parse};
use std::{
    collections::BTreeMap,
    fs,
    io::{Error, ErrorKind, Read, Result},
    path::Path,
    time::SystemTime,
};

/// Longest file: as long as the longest object that an API server takes (etcd's 1.5 MiB).
const MAX_FILE: u64 = 3 * 512 * 1024;
/// Most files: a scan reads the dates of all of them once a second.
const MAX_FILES: usize = 10_000;

/// Where the backups that schedules make are written, a file each: like the user's own files, they may be edited, and
/// removing one deletes its backup.
pub(super) const MADE: &str = ".isochron/made";

/// What a scan saw of one file.
#[derive(Clone, PartialEq)]
struct Sight {
    changed: Option<SystemTime>,
    length: u64,
    content: std::result::Result<String, String>,
}

/// Where a file stands.
pub(super) type Outcome = std::result::Result<Parsed, Fault>;

/// The directory as far as it stands still.
#[derive(Default)]
pub(super) struct Files {
    sights: BTreeMap<String, Sight>,
    settled: BTreeMap<String, Outcome>,
    /// Files differed between the last two scans.
    pub(super) moving: bool,
    /// There were two scans, so every file that stood still is settled.
    pub(super) ready: bool,
    scanned: bool,
}

impl Files {
    /// Looks once. Returns the files whose outcome is new.
    pub(super) fn scan(&mut self, directory: &Path) -> Result<Vec<String>> {
        // Somebody unmounted or moved the directory: nothing can be said of it.
        fs::metadata(directory.join(".isochron/lock"))?;
        let mut sights = BTreeMap::new();
        look(directory, "", &mut sights)?;
        look(&directory.join(MADE), MADE, &mut sights)?;
        let mut news = Vec::new();
        self.moving = self.sights.keys().any(|name| !sights.contains_key(name));
        for (name, sight) in &sights {
            if self.sights.get(name) != Some(sight) {
                self.moving = true;
                continue;
            }
            let outcome = match &sight.content {
                Ok(text) => parse(text),
                Err(text) => Err(Fault { line: 1, text: text.clone() }),
            };
            if self.settled.get(name) != Some(&outcome) {
                self.settled.insert(name.clone(), outcome);
                news.push(name.clone());
            }
        }
        let before = &self.sights;
        self.settled.retain(|name, _| sights.contains_key(name) || before.contains_key(name));
        self.sights = sights;
        self.ready = std::mem::replace(&mut self.scanned, true);
        Ok(news)
    }

    /// Every file that stands still, in the order of names.
    pub(super) fn settled(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.settled.iter().map(|(name, outcome)| (name.as_str(), outcome))
    }
}

/// Looks at every YAML file of one folder; `prefix` goes before its name.
fn look(folder: &Path, prefix: &str, sights: &mut BTreeMap<String, Sight>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !(name.ends_with(".yaml") || name.ends_with(".yml")) {
            continue;
        }
        if sights.len() >= MAX_FILES {
            return Err(Error::new(ErrorKind::InvalidInput, format!("more than {MAX_FILES} YAML files")));
        }
        match sight(&entry.path()) {
            // Removed between the list and the look.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            sight => {
                let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                sights.insert(name, sight?);
            }
        }
    }
    Ok(())
}

/// Reads a file. Its content is compared too: two writes within a clock tick have one date.
fn sight(path: &Path) -> Result<Sight> {
    let metadata = fs::metadata(path)?;
    let (changed, length) = (metadata.modified().ok(), metadata.len());
    let content = if length > MAX_FILE {
        Err(format!("the file is longer than {MAX_FILE} bytes"))
    } else {
        let mut bytes = Vec::new();
        match fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes)) {
            Ok(_) => String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
            Err(error) => Err(format!("the file cannot be read: {error}")),
        }
    };
    Ok(Sight { changed, length, content })
}
