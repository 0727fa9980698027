//! `coordinator console diagnose`: asks everything there is to ask, and writes the answers into one archive.

use crate::{
    checking::Outcome,
    reach::{Way, not_leading},
};
use coordinator::console::{
    Answered, Question,
    diagnose::{PLANES_AT_ONCE, PLANES_TELL, Told, archive, file_name, files, page, parts},
};
use shared::request::MEMBERS_MAX;
use shell::clock::system_wall;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Answers about planes, a few in each: those of the widest backup there may be. Whoever has more names a backup.
const PAGES: usize = MEMBERS_MAX.div_ceil(PLANES_AT_ONCE);

/// What cannot be had is named in the archive and on the standard error, and the exit status is 1; where nobody answers
/// who leads, nothing is written. A plane that says nothing is named alike, and is no failure: it may be away.
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
    of_planes(way, name, &mut told, &mut all);
    let file = file.unwrap_or_else(|| PathBuf::from(file_name(at)));
    let written = archive(at, name, &told, &all).and_then(|bytes| write(&file, &bytes));
    if let Err(error) = written {
        return Outcome::Refused(format!("{} is not written: {error}", file.display()));
    }
    println!("{}", file.display());
    for (plane, why) in &told.silent {
        eprintln!("plane {plane} says nothing of itself: {why}");
    }
    let missing: Vec<_> = told.missing.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    if missing.is_empty() { Outcome::Fine } else { Outcome::Refused(format!("it lacks {}", missing.join("; "))) }
}

/// What planes know of themselves, a few at a time.
fn of_planes(way: &Way, name: Option<&str>, told: &mut Told, all: &mut Vec<(String, String)>) {
    const PLACE: &str = "planes/";
    let mut after = String::new();
    for _ in 0..PAGES {
        let question = Question::DiagnosePlanes { name: name.map(str::to_owned), after };
        let answered = match way.ask(&question) {
            Ok(Answered::Ok(answer)) => page(&answer).ok_or_else(|| "the answer cannot be read".to_owned()),
            Ok(Answered::Error(why)) => Err(why),
            Ok(Answered::NotLeading { leader }) => Err(not_leading(leader.as_deref())),
            Err(error) => Err(format!("{error:#}")),
        };
        let page = match answered {
            Ok(page) => page,
            Err(why) => return told.missing.push((PLACE.to_owned(), why)),
        };
        let (files, silent) = page.files();
        all.extend(files);
        told.silent.extend(silent);
        match page.next {
            Some(next) => after = next,
            None => return told.there.push((PLACE.to_owned(), PLANES_TELL)),
        }
    }
    told.missing.push((PLACE.to_owned(), format!("those behind {after}: name a backup, and its planes are asked")));
}

/// A file of its owner's; one that is there stays as it is.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}
