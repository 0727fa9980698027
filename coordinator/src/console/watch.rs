//! `console watch`: one backup until it has ended. Asks again and again, so it survives a coordinator that restarts or
//! another that leads; what is shown is what the last answer said.

use super::question::Answered;
use serde_json::Value;
use std::time::Duration;

/// Between two looks.
pub const PAUSE: Duration = Duration::from_millis(500);
/// Characters of a plane's bar.
const WIDTH: u64 = 24;
/// Planes drawn at once, those that are waited for first: a screen has no room for a thousand.
const PLANES: usize = 16;
/// Of what a plane says of its work, so that a line stays a line.
const WORDS: usize = 48;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Complete.
    Well,
    /// Failed without another attempt to come, invalid, or gone.
    Badly,
    /// The coordinator has no such backup.
    Unknown,
}

/// What one look comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// To be shown in the place of the last look; empty: nothing new.
    pub screen: String,
    /// For who reads line by line: what changed since the last look.
    pub line: Option<String>,
    /// Nothing more will come.
    pub end: Option<End>,
}

/// Remembers what was told already.
#[derive(Debug, Default)]
pub struct Watch {
    told: String,
}

impl Watch {
    /// One answer to `Question::Show`, or why there was none.
    pub fn look(&mut self, answer: Result<&Answered, &str>) -> Look {
        match answer {
            Ok(Answered::Ok(shown)) => {
                let planes = planes(shown);
                let line = headline(shown, &planes);
                Look { screen: screen(shown, &line, planes), line: self.news(line), end: end(shown) }
            }
            Ok(Answered::Error(error)) => {
                Look { screen: String::new(), line: self.news(error.clone()), end: Some(End::Unknown) }
            }
            Ok(Answered::NotLeading { .. }) => self.away("no coordinator leads"),
            Err(error) => self.away(error),
        }
    }

    fn away(&mut self, why: &str) -> Look {
        let line = format!("{why}; asking again");
        Look { screen: line.clone(), line: self.news(line), end: None }
    }

    fn news(&mut self, line: String) -> Option<String> {
        let new = self.told != line;
        self.told.clone_from(&line);
        new.then_some(line)
    }
}

fn end(shown: &Value) -> Option<End> {
    // Another attempt comes once what this one left is cleaned; it has a clock of its own then.
    let may_retry = !shown["record"]["request"]["retry_within"].is_null();
    let again = may_retry && (shown["clock"].is_object() || shown["waiting_for"] != "");
    match shown["step"].as_str()? {
        "Complete" => Some(End::Well),
        "Failed" if !again => Some(End::Badly),
        "Invalid" | "Cleaned" => Some(End::Badly),
        _ => None,
    }
}

/// What changes rarely, in one line.
fn headline(shown: &Value, planes: &Planes<'_>) -> String {
    let step = shown["step"].as_str().unwrap_or("-");
    let attempt = shown["record"]["attempt"].as_u64().map_or(String::new(), |number| format!("attempt {number}: "));
    let why = shown["record"]["failure"]["message"].as_str().or(shown["message"].as_str());
    let answered = planes.iter().filter(|(_, plane)| plane["answered"] == true).count();
    let of = if planes.is_empty() {
        String::new()
    } else {
        format!(", {answered} of {} planes have answered", planes.len())
    };
    match why {
        Some(why) => format!("{attempt}{step}: {why}"),
        None if matches!(step, "Complete" | "Cleaned" | "Claiming") => format!("{attempt}{step}"),
        None => format!("{attempt}{step}{of}"),
    }
}

fn screen(shown: &Value, headline: &str, mut planes: Planes<'_>) -> String {
    let mut out = headline.to_owned();
    if let (Some(clock), Some(left)) = (shown["clock"]["name"].as_str(), shown["clock"]["left_ms"].as_u64()) {
        out.push_str(&format!("; {clock} clock: {}.{} s left", left / 1000, left % 1000 / 100));
    }
    out.push('\n');
    let width = planes.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    planes.sort_by_key(|(name, plane)| (plane["owes"] != true, *name));
    for (name, plane) in planes.iter().take(PLANES) {
        out.push_str(&format!("  {name:<width$}  {}\n", row(plane)));
    }
    if planes.len() > PLANES {
        out.push_str(&format!("  and {} planes more\n", planes.len() - PLANES));
    }
    if let Some(waiting) = shown["waiting_for"].as_str().filter(|text| !text.is_empty() && planes.is_empty()) {
        out.push_str(&format!("  waiting for {waiting}\n"));
    }
    out
}

/// Names, and what the coordinator sees of each.
type Planes<'a> = Vec<(&'a str, &'a Value)>;

fn planes(shown: &Value) -> Planes<'_> {
    shown["planes"].as_object().into_iter().flatten().map(|(name, plane)| (name.as_str(), plane)).collect()
}

fn row(plane: &Value) -> String {
    let (done, total) = (plane["done"].as_u64().unwrap_or_default(), plane["total"].as_u64().unwrap_or_default());
    let text: String = plane["text"].as_str().unwrap_or_default().chars().take(WORDS).collect();
    let bar = |part: u64| {
        let full = usize::try_from(part).unwrap_or_default();
        let rest = usize::try_from(WIDTH.saturating_sub(part)).unwrap_or_default();
        format!("{}{}", "█".repeat(full), "·".repeat(rest))
    };
    let state = if plane["connected"] != true {
        "not connected".to_owned()
    } else if let Some(reason) = plane["refused"]["refusal"]["reason"].as_str() {
        format!("refused: {reason}")
    } else if plane["answered"] == true {
        "answered".to_owned()
    } else if let Some(percent) = done.min(total).saturating_mul(100).checked_div(total) {
        format!("{percent} % {text}")
    } else {
        text
    };
    let worked = done.min(total).saturating_mul(WIDTH).checked_div(total).unwrap_or_default();
    let part = if plane["answered"] == true { WIDTH } else { worked };
    format!("{}  {state}", bar(part)).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
