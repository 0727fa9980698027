//! `console verify`: is a backup still whole? What each plane found of its part, one line for each thing that was looked at.

use super::check::Line;
use serde_json::{Value, json};
use shared::{
    barrier::Record,
    ids::PlaneId,
    verify::{Asked, Level, Subject, Verification},
    wire::Finding,
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

const UNCHECKED: &str = "verify-unchecked";

fn lines(plane: &PlaneId, asked: &Asked) -> Vec<Line> {
    let line = |group: &str, one: &Finding| Line::found(group, one, &anchor(&one.subject), UNCHECKED).took(one.took);
    Line::of_plane(plane, asked, UNCHECKED, line)
}

/// Where the runbook says what to do. A plane of a later version may look at more than this one knows.
fn anchor(subject: &str) -> String {
    let known = Subject::ALL.iter().any(|one| one.as_str() == subject);
    if known { format!("verify-{}", subject.replace(' ', "-")) } else { UNCHECKED.to_owned() }
}

#[cfg(test)]
mod tests;
