//! What could not be deleted, by its cause: a person reads one line for two hundred locked snapshots.

use crate::{
    actors::{obstacle::Obstacle, stuck::Refused},
    ports::Cloud,
};
use shared::{ids::SnapshotId, time::Millis, wire::CleanReport};
use std::{cmp::Reverse, collections::BTreeMap};

/// Lines of a report that a person can still read.
pub(super) const MAX_LINES: usize = 20;
/// Snapshots that a line names; the others are counted.
const NAMED: usize = 3;

#[derive(Default)]
struct Cause {
    count: usize,
    named: Vec<SnapshotId>,
    /// EC2's words on the first of them.
    said: String,
    /// The soonest of them is asked for again.
    again: Option<Millis>,
}

/// All of one clean.
#[derive(Default)]
pub(super) struct Left(BTreeMap<Obstacle, Cause>);

impl Left {
    /// One more. `again`: it was not asked for, and will not be so long.
    pub(super) fn add(&mut self, id: SnapshotId, refused: Refused, again: Option<Millis>) {
        let cause = self.0.entry(refused.obstacle).or_default();
        cause.count += 1;
        if cause.named.is_empty() {
            cause.said = refused.said;
        }
        if cause.named.len() < NAMED {
            cause.named.push(id);
        }
        cause.again = cause.again.into_iter().chain(again).min();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Into a report, the most frequent causes first.
    pub(super) fn tell(&self, cloud: &Cloud, report: &mut CleanReport) {
        let mut causes: Vec<(&Obstacle, &Cause)> = self.0.iter().collect();
        causes.sort_by_key(|(_, cause)| Reverse(cause.count));
        for (obstacle, cause) in causes {
            line(&mut report.left, told(cloud, obstacle, cause));
        }
        report.needs_person = !self.0.is_empty() && self.0.keys().all(Obstacle::needs_person);
    }
}

fn told(cloud: &Cloud, obstacle: &Obstacle, cause: &Cause) -> String {
    let named: Vec<&str> = cause.named.iter().map(SnapshotId::as_str).collect();
    let others = cause.count - named.len();
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let again = cause.again.map_or(String::new(), |wait| format!("; EC2 is asked again in {} s", wait.as_secs_up()));
    let (account, region) = (&cloud.account, &cloud.region);
    format!("{}{others}: {obstacle} (account {account}, {region}: {}){again}", named.join(", "), cause.said)
}

/// Adds a line while a person can still read them all.
pub(super) fn line(lines: &mut Vec<String>, text: String) {
    if lines.len() < MAX_LINES {
        lines.push(text);
    }
}
