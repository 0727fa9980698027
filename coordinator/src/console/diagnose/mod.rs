//! What goes into the archive of `console diagnose`: which questions are asked, and which files their answers become. Every
//! file is a text that can be read by hand, and no secret is in any of them.

mod archive;
mod planes;
mod readme;
mod state;

pub use archive::{archive, file_name};
pub use planes::{PLANES_AT_ONCE, PLANES_TELL, Page, page};
pub use readme::Told;
pub(crate) use state::{OfSession, State};

use super::{
    question::Question,
    render::{Output, shown},
};
use crate::pages;
use serde_json::Value;
use shell::redact;

/// One question, and its place in the archive.
pub struct Part {
    /// File or folder, without an ending.
    pub place: &'static str,
    /// What a reader finds there.
    pub tells: &'static str,
    /// What is asked.
    pub question: Question,
}

/// All there is to ask; with `name` of that backup as well.
pub fn parts(name: Option<&str>) -> Vec<Part> {
    let part = |place, tells, question| Part { place, tells, question };
    let all = Question::Schedules { name: None, plan: false, at: None };
    let mut parts = vec![
        part("coordinator", OF_STATE, Question::Diagnose { name: name.map(str::to_owned) }),
        part("status", "everything at a glance: planes, backups, claims", Question::Status),
        part("planes", "planes, their versions and sessions", Question::Planes),
        part("schedules", "schedules, one line each", all),
        part("orphans", "records whose VolumeBackup is gone", Question::Orphans { delete: None, planes: false }),
        part("check", "would a backup work", Question::Check { name: name.map(str::to_owned) }),
    ];
    if let Some(name) = name {
        let name = || name.to_owned();
        parts.push(part(
            "backup/show",
            "its record and the view of its barrier, whole",
            Question::Show { name: name() },
        ));
        parts.push(part("backup/why", "what it waits for, or why it failed", Question::Why { name: name() }));
        parts.push(part("backup/timeline", "where its time went", Question::Timeline { name: name() }));
    }
    parts
}

const OF_STATE: &str = "what the coordinator alone knows: versions, configuration, sessions, ends of certificates, metrics, \
                        the last lines of its log, the last steps of its machines";

/// The files of one answer, by their names. What cannot be drawn is left out: its JSON is there.
pub fn files(part: &Part, answer: &Value) -> Vec<(String, String)> {
    let answer = redact::value(answer.clone());
    let place = part.place;
    if let (Question::Diagnose { .. }, Value::Object(fields)) = (&part.question, &answer) {
        return fields.iter().map(|(name, field)| file_of(&format!("{place}/{name}"), field)).collect();
    }
    let mut files = vec![(format!("{place}.json"), format!("{answer:#}\n"))];
    let table = shown(&part.question, &answer, Output::Table, None);
    match &part.question {
        Question::Show { .. } => {
            files.extend(pages::report(&answer).ok().map(|page| ("backup/report.html".to_owned(), page)))
        }
        Question::Timeline { .. } => {
            files.push((format!("{place}.svg"), pages::timeline_svg(&answer)));
            files.push((format!("{place}.txt"), format!("{table}\n")));
        }
        _ => files.push((format!("{place}.txt"), format!("{table}\n"))),
    }
    files
}

/// A text and a list of texts are read as such.
fn file_of(place: &str, field: &Value) -> (String, String) {
    match field {
        Value::String(text) => (format!("{place}.txt"), format!("{}\n", text.trim_end())),
        Value::Array(lines) if lines.iter().all(Value::is_string) => {
            let text: String = lines.iter().filter_map(Value::as_str).map(|line| format!("{line}\n")).collect();
            (format!("{place}.txt"), text)
        }
        other => (format!("{place}.json"), format!("{other:#}\n")),
    }
}

#[cfg(test)]
mod tests;
