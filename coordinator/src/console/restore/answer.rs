//! The answer: the plan, and a line for each thing that was looked at.

use super::options::RestoreOptions;
use crate::console::check::Line;
use serde_json::{Value, json};
use shared::{
    barrier::Record,
    calendar::rfc3339,
    ids::PlaneId,
    restore::{Asking, Judged, Plan, Subject, judge},
    time::Timestamp,
    verify::{self, Asked},
    wire::Finding,
};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one answer, so that it fits into a frame beside the volumes.
const LINES_MAX: usize = 2000;
/// Volumes of one answer: with some 600 bytes each well below a frame. Sums are of all.
const VOLUMES_MAX: usize = 3000;

/// A backup, and what a restore of it would take.
pub struct Planned<'a> {
    /// Its record.
    pub record: &'a Record,
    /// What was asked for.
    pub options: &'a RestoreOptions,
    /// The same, with prices.
    pub asking: Asking,
    /// In which money those are.
    pub currency: &'a str,
    /// What planes told, as a plan.
    pub plan: Plan,
    /// What they found.
    pub planes: BTreeMap<PlaneId, Asked>,
    /// When.
    pub at: Timestamp,
    /// Calls of AWS that it took, of all planes.
    pub calls: u32,
}

impl Planned<'_> {
    /// `fine` only if everything was looked at and holds.
    pub fn value(self) -> Value {
        let request = &self.record.request;
        let targets: BTreeSet<PlaneId> =
            self.planes.keys().filter(|plane| self.options.target_of(plane).is_some()).cloned().collect();
        let not_asked: Vec<Value> =
            self.planes.keys().filter(|plane| !targets.contains(*plane)).map(without_target).collect();
        let Judged { planes, rooms, holds } = judge(&self.plan, self.planes, &targets, &self.asking);
        let of_planes = planes.iter().flat_map(|(plane, asked)| Line::of_plane(plane, asked, UNCHECKED, line));
        let of_rooms = rooms.iter().flat_map(|(room, findings)| findings.iter().map(move |one| line(room, one)));
        let lines: Vec<Line> = of_planes.chain(of_rooms).collect();
        let (plan, left_out) = shown(self.plan);
        json!({
            "of": format!("backup {}/{}", request.namespace, request.name),
            "uid": self.record.key(),
            "clusterVersion": self.record.cluster_version,
            "commitTs": self.record.certificate.as_ref().map(|certificate| certificate.commit_ts.to_string()),
            "fine": holds,
            "at": rfc3339(self.at),
            "calls": self.calls,
            "options": self.options,
            "currency": self.currency,
            "plan": plan,
            "volumesLeftOut": left_out,
            "checks": lines.iter().take(LINES_MAX).map(Line::row).collect::<Vec<_>>(),
            "leftOut": lines.len().saturating_sub(LINES_MAX),
            "notAsked": not_asked,
        })
    }
}

fn without_target(plane: &PlaneId) -> Value {
    json!({ "group": format!("plane {plane}"), "what": Subject::Target.as_str(), "found": "not asked: no --target" })
}

/// As many volumes as fit, and how many do not.
fn shown(mut plan: Plan) -> (Plan, usize) {
    let (mut room, mut left_out) = (VOLUMES_MAX, 0);
    for plane in &mut plan.planes {
        left_out += plane.volumes.len().saturating_sub(room);
        plane.volumes.truncate(room);
        room -= plane.volumes.len();
    }
    (plan, left_out)
}

const UNCHECKED: &str = "restore-unchecked";

fn line(group: &str, one: &Finding) -> Line {
    let line = Line::found(group, one, &anchor(&one.subject), UNCHECKED);
    // What follows from what planes said took no time.
    if one.took.0 > 0 { line.took(one.took) } else { line }
}

/// Where the runbook says what to do. A plane of a later version may look at more than this one knows.
fn anchor(subject: &str) -> String {
    let ours = || Subject::OF_PLANE.iter().chain(&Subject::OF_TARGET).chain(&Subject::OF_PLAN);
    let dashed = subject.replace(' ', "-").to_lowercase();
    if verify::Subject::ALL.iter().any(|one| one.as_str() == subject) {
        format!("verify-{dashed}")
    } else if ours().any(|one| one.as_str() == subject) {
        format!("restore-{dashed}")
    } else {
        UNCHECKED.to_owned()
    }
}

#[cfg(test)]
mod tests;
