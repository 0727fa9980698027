//! `coordinator console apply` and `delete`.

use crate::{
    checking::{Outcome, wait_for},
    colour::Form,
    reach::{Way, not_leading},
};
use anyhow::Context as _;
use clap::Args;
use coordinator::{
    console::{Answered, Question},
    ports::{Kind, Named},
};
use serde_json::Value;
use shell::quic::QUESTION_BYTES;
use std::{
    fs::File,
    io::{Read, stdin},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// Longest file: some hundred objects of a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;
/// Between two looks whether something is there yet, or no more.
const PAUSE: Duration = Duration::from_millis(500);
/// Until an object that was applied is seen by the coordinator: a watch tells it at once, a directory within seconds.
const SEEN_LIMIT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct ApplyArgs {
    /// VolumeBackups and VolumeBackupSchedules in YAML or JSON, one or several documents; - is the standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Come back when every VolumeBackup in it has ended, within this time: 4h, 30m.
    #[arg(long, value_name = "DURATION", value_parser = wait_for)]
    pub(crate) wait: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// What it is, if it is no VolumeBackup (VolumeBackupSchedule, vbks), and its name or namespace/name
    #[arg(value_name = "[KIND] NAME", num_args = 1..=2, required = true)]
    what: Vec<String>,
    /// Come back when it is gone, within this time: 10m, 90s.
    #[arg(long, value_name = "DURATION", value_parser = wait_for)]
    wait: Option<Duration>,
}

/// The objects of a file, each with whose it is. All of it is read before anything is applied.
///
/// # Errors
/// It cannot be read, or something else stands in it.
pub(crate) fn objects(args: &ApplyArgs) -> anyhow::Result<Vec<(Named, Value)>> {
    let shown = args.file.display();
    let text = text_of(&args.file, MAX_FILE).with_context(|| format!("{shown} cannot be read"))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).with_context(|| format!("{shown} is no YAML"))?;
    let documents = documents.into_iter().filter(|document| !document.is_null());
    let objects: Vec<_> = documents
        .enumerate()
        .map(|(number, object)| {
            let of = || format!("{shown}, document {}", number + 1);
            let named = Named::of(&object).map_err(anyhow::Error::msg).with_context(of)?;
            let bytes = object.to_string().len();
            anyhow::ensure!(bytes < QUESTION_BYTES - 1024, "{}: {bytes} bytes are too many for one question", of());
            Ok((named, object))
        })
        .collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(!objects.is_empty(), "{shown} holds no object");
    Ok(objects)
}

/// What is in a file of at most `most` bytes; `-` is standard input.
pub(crate) fn text_of(file: &Path, most: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => stdin().take(most + 1).read_to_string(&mut text)?,
        false => File::open(file)?.take(most + 1).read_to_string(&mut text)?,
    };
    anyhow::ensure!(read as u64 <= most, "it is longer than {most} bytes");
    Ok(text)
}

/// Applies one after the other and prints what came of each; the first that is refused ends it.
pub(crate) fn apply(way: &Way, objects: &[(Named, Value)], form: Form) -> Outcome {
    let (mut rows, mut outcome) = (Vec::new(), Outcome::Fine);
    for (_, manifest) in objects {
        match asked(way, &Question::Apply { manifest: manifest.clone() }) {
            Ok(row) => rows.push(row),
            Err(failed) => {
                outcome = failed;
                break;
            }
        }
    }
    if !rows.is_empty() {
        form.print_rows(rows);
    }
    outcome
}

/// How the VolumeBackups among them are to be asked for, once the coordinator has seen them.
pub(crate) fn to_follow(way: &Way, objects: &[(Named, Value)]) -> Result<Vec<String>, Outcome> {
    let backups = objects.iter().filter(|(named, _)| named.kind == Kind::Backup);
    let names: Vec<String> = backups.map(|(named, _)| format!("{}/{}", named.namespace, named.name)).collect();
    for name in &names {
        let seen = until(SEEN_LIMIT, || is_there(way, Kind::Backup, name));
        if !seen? {
            return Err(Outcome::TimedOut(format!("the coordinator has not seen {name} yet")));
        }
    }
    Ok(names)
}

/// Begins a deletion, and waits for its end if that was asked for.
pub(crate) fn delete(way: &Way, args: &DeleteArgs, form: Form) -> Outcome {
    let (kind, name) = match args.what.as_slice() {
        [kind, name] => (kind.as_str(), name),
        [name] => (Kind::Backup.as_str(), name),
        _ => return Outcome::Refused("of what?".to_owned()),
    };
    let row = match asked(way, &Question::Delete { kind: kind.to_owned(), name: name.clone() }) {
        Ok(row) => row,
        Err(outcome) => return outcome,
    };
    form.print_rows(vec![row.clone()]);
    let (Some(wait), Some(kind)) = (args.wait, Kind::called(kind)) else { return Outcome::Fine };
    let word = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let name = format!("{}/{}", word("namespace"), word("name"));
    match until(wait, || is_there(way, kind, &name).map(|there| !there)) {
        Ok(true) => Outcome::Fine,
        Ok(false) => Outcome::TimedOut(format!("{name} is still being deleted; `console why {name}` says why")),
        Err(outcome) => outcome,
    }
}

/// False: not within `limit`. Who does not answer is asked again.
fn until(limit: Duration, is_so: impl Fn() -> Result<bool, Outcome>) -> Result<bool, Outcome> {
    let begun = Instant::now();
    loop {
        match is_so() {
            Ok(true) => return Ok(true),
            Ok(false) | Err(Outcome::NotReached(_)) if begun.elapsed() < limit => sleep(PAUSE),
            other => return other,
        }
    }
}

fn is_there(way: &Way, kind: Kind, name: &str) -> Result<bool, Outcome> {
    let name = name.to_owned();
    let question = match kind {
        Kind::Backup => Question::Show { name },
        Kind::Schedule => Question::Schedules { name: Some(name), plan: false, at: None },
        Kind::Restore => Question::Restores { name: Some(name) },
    };
    match asked(way, &question) {
        Ok(_) => Ok(true),
        Err(Outcome::Refused(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

fn asked(way: &Way, question: &Question) -> Result<Value, Outcome> {
    match way.ask(question) {
        Ok(Answered::Ok(value)) => Ok(value),
        Ok(Answered::Error(why)) => Err(Outcome::Refused(why)),
        Ok(Answered::NotLeading { leader }) => Err(Outcome::NotReached(not_leading(leader.as_deref()))),
        Err(error) => Err(Outcome::NotReached(format!("{error:#}"))),
    }
}
