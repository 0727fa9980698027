//! `coordinator console diagnose`: asks everything there is to ask, and writes the answers into one archive.

use crate::{
    checking::Outcome,
    reach::{Way, not_leading},
};
use coordinator::console::{
    Answered,
    diagnose::{Told, archive, file_name, files, parts},
};
use shell::clock::system_wall;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What cannot be had is named in the archive and on the standard error, and the exit status is 1; where nobody answers
/// who leads, nothing is written.
pub(crate) fn diagnose(way: &Way, name: Option<&str>, file: Option<PathBuf>) -> Outcome {
    let at = system_wall();
    let (mut told, mut all) = (Told::default(), Vec::new());
    for part in parts(name) {
        match way.ask(&part.question) {
            Ok(Answered::Ok(answer)) => {
                all.extend(files(&part, &answer));
                told.there.push((part.place.to_owned(), part.tells));
            }
            Ok(Answered::Error(why)) => told.missing.push((part.place.to_owned(), why)),
            Ok(Answered::NotLeading { leader }) => return Outcome::NotReached(not_leading(leader.as_deref())),
            Err(error) if told.there.is_empty() && told.missing.is_empty() => {
                return Outcome::NotReached(format!("{error:#}"));
            }
            Err(error) => told.missing.push((part.place.to_owned(), format!("{error:#}"))),
        }
    }
    let file = file.unwrap_or_else(|| PathBuf::from(file_name(at)));
    let written = archive(at, name, &told, &all).and_then(|bytes| write(&file, &bytes));
    if let Err(error) = written {
        return Outcome::Refused(format!("{} is not written: {error}", file.display()));
    }
    println!("{}", file.display());
    let missing: Vec<_> = told.missing.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    if missing.is_empty() { Outcome::Fine } else { Outcome::Refused(format!("it lacks {}", missing.join("; "))) }
}

/// A file of its owner's; one that is there stays as it is.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}
