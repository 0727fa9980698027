//! What all that was found comes to. It holds only if everything was looked at and nothing is amiss; a right that is missing
//! leaves doubt and fails nothing.

use super::{asking::Asking, plan::Plan, subject::Subject};
use crate::{
    ids::PlaneId,
    time::{Millis, Timestamp},
    verify::{self, Asked, judge_of},
    wire::{Finding, FindingState},
};
use std::collections::{BTreeMap, BTreeSet};

/// Complaints that a text names.
const NAMED: usize = 3;

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What each plane said, and what follows from it.
    pub planes: BTreeMap<PlaneId, Asked>,
    /// By account and Region.
    pub rooms: Vec<(String, Vec<Finding>)>,
    /// Everything was looked at, and nothing is amiss.
    pub holds: bool,
}

/// `targets`: planes that were asked about a TiDB cluster to restore into.
pub fn judge(
    plan: &Plan,
    mut planes: BTreeMap<PlaneId, Asked>,
    targets: &BTreeSet<PlaneId>,
    asking: &Asking,
) -> Judged {
    for of in &plan.planes {
        if let Some(Asked::Answered(findings)) = planes.get_mut(&of.plane) {
            let (state, text) = mapping(findings, &of.amiss);
            findings.push(finding(Subject::Mapping, state, text));
        }
    }
    let rooms: Vec<(String, Vec<Finding>)> = plan
        .rooms
        .iter()
        .map(|room| {
            let (state, text) = room.storage(&asking.wish.kind.name);
            let storage = finding(Subject::Storage, state, text);
            let at_a_rate = room.initialization(asking.wish.rate);
            let at_a_rate = at_a_rate.map(|(state, text)| finding(Subject::Initialization, state, text));
            (room.name(), std::iter::once(storage).chain(at_a_rate).collect())
        })
        .collect();
    let holds = !planes.is_empty()
        && planes.iter().all(|(plane, asked)| {
            let alone = BTreeMap::from([(plane.clone(), asked.clone())]);
            judge_of(&alone, &must(targets.contains(plane)), Timestamp(0)).level.holds()
        })
        && rooms.iter().flat_map(|(_, findings)| findings).all(|one| one.state <= FindingState::Doubtful);
    Judged { planes, rooms, holds }
}

/// What a plane says something of, if it looked at everything.
fn must(target: bool) -> Vec<&'static str> {
    let of_target = if target { &Subject::OF_TARGET[..] } else { &[] };
    let ours = Subject::OF_PLANE.iter().chain(of_target).copied().map(Subject::as_str);
    verify::Subject::ALL.into_iter().map(verify::Subject::as_str).chain(ours).collect()
}

/// Of a backupmeta that was not read nothing is amiss: it is as doubtful as the look at it.
fn mapping(findings: &[Finding], amiss: &[String]) -> (FindingState, String) {
    let meta = findings.iter().find(|one| one.subject == verify::Subject::Backupmeta.as_str());
    match meta.map_or(FindingState::Unchecked, |meta| meta.state) {
        state @ (FindingState::Doubtful | FindingState::Unchecked) => {
            (state, "backupmeta was not read, and it alone says which volume goes to which pod".to_owned())
        }
        FindingState::Sound | FindingState::Broken if amiss.is_empty() => {
            (FindingState::Sound, "every volume has a pod, all of a store the same".to_owned())
        }
        FindingState::Sound | FindingState::Broken => {
            let more = amiss.len().saturating_sub(NAMED);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            let named = amiss.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
            (FindingState::Broken, named + &more)
        }
    }
}

fn finding(subject: Subject, state: FindingState, text: String) -> Finding {
    Finding { subject: subject.as_str().to_owned(), took: Millis(0), state, text }
}

#[cfg(test)]
mod tests;
