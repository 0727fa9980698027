//! `console verify`: is a backup still whole? What each plane found of its part, one line for each thing that was looked at.

use super::check::{Line, State};
use serde_json::{Value, json};
use shared::{
    barrier::Record,
    ids::PlaneId,
    verify::{Asked, Level, Subject, Verification},
    wire::{Finding, FindingState},
};
use std::collections::BTreeMap;

/// Lines of one answer, so that it fits into a frame: a hundred planes with eleven findings each.
const LINES_MAX: usize = 2000;

/// A backup, what its planes said of it, and what all of it comes to.
pub struct Looked {
    /// Its record.
    pub record: Box<Record>,
    /// Every plane of it.
    pub planes: BTreeMap<PlaneId, Asked>,
    /// The whole.
    pub verification: Verification,
    /// Calls of AWS that it took, of all planes.
    pub calls: u32,
}

impl Looked {
    /// The answer: `fine` only if all holds, and every finding. `kept`: it goes into record and status.
    pub fn value(&self, kept: bool) -> Value {
        let (request, found) = (&self.record.request, &self.verification);
        let lines: Vec<Line> = self.planes.iter().flat_map(|(plane, asked)| lines(plane, asked)).collect();
        json!({
            "of": format!("backup {}/{}", request.namespace, request.name),
            "uid": self.record.key(),
            "level": found.level.as_str(),
            "fine": found.level.holds(),
            "at": shared::calendar::rfc3339(found.at),
            "message": found.message,
            "calls": self.calls,
            "kept": kept && found.level != Level::Unchecked,
            "checks": lines.iter().take(LINES_MAX).map(Line::row).collect::<Vec<_>>(),
            "leftOut": lines.len().saturating_sub(LINES_MAX),
        })
    }
}

fn lines(plane: &PlaneId, asked: &Asked) -> Vec<Line> {
    let group = format!("plane {plane}");
    match asked {
        Asked::Unasked(why) => {
            vec![Line::without(group, "plane", State::Refused, why.clone(), "verify-unchecked")]
        }
        Asked::Answered(findings) => findings.iter().map(|finding| line(&group, finding)).collect(),
    }
}

fn line(group: &str, Finding { subject, took, state, text }: &Finding) -> Line {
    let of = |state, anchor: &str| Line::without(group, subject, state, text.clone(), anchor);
    let line = match state {
        FindingState::Sound => Line::fine(group, subject, text.clone()),
        FindingState::Doubtful => of(State::Warning, &anchor(subject)),
        FindingState::Unchecked => of(State::Refused, "verify-unchecked"),
        FindingState::Broken => of(State::Refused, &anchor(subject)),
    };
    line.took(*took)
}

/// Where the runbook says what to do. A plane of a later version may look at more than this one knows.
fn anchor(subject: &str) -> String {
    let known = Subject::ALL.iter().any(|one| one.as_str() == subject);
    if known { format!("verify-{}", subject.replace(' ', "-")) } else { "verify-unchecked".to_owned() }
}

#[cfg(test)]
mod tests;
