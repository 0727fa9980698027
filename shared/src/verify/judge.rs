//! What the findings of all planes together come to.

use super::Subject;
use crate::{
    ids::PlaneId,
    reason::cut,
    time::Timestamp,
    wire::{Finding, FindingState},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of a message: it goes into record, note and status of every backup.
const MESSAGE_MAX: usize = 400;
/// Findings that a message names.
const NAMED: usize = 3;

/// What a backup was found to be; the worst of its findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Everything was looked at, and holds.
    Sound,
    /// Nothing is known to be amiss, but a right is missing to look at everything.
    Partly,
    /// A plane, or something of a plane, was not looked at: nothing is said of the whole.
    Unchecked,
    /// Something does not hold.
    Broken,
}

impl Level {
    /// Every level, for closed sets of labels.
    pub const ALL: [Self; 4] = [Self::Sound, Self::Partly, Self::Unchecked, Self::Broken];

    /// As status, metrics and console write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "Sound",
            Self::Partly => "Partly",
            Self::Unchecked => "Unchecked",
            Self::Broken => "Broken",
        }
    }

    /// Nothing is known to be amiss, and every plane was looked at.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Sound | Self::Partly)
    }
}

/// How a backup was found, and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verification {
    /// The worst of what was found.
    pub level: Level,
    /// By the coordinator's wall clock.
    pub at: Timestamp,
    /// The worst findings, for people; empty where all is sound.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Verification {
    /// For where there is no room for words.
    #[must_use]
    pub fn without_words(&self) -> Self {
        Self { message: String::new(), ..self.clone() }
    }
}

/// What came of asking a plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It said this.
    Answered(Vec<Finding>),
    /// It was not asked, or did not answer; the text says why.
    Unasked(String),
}

/// The worst of everything: broken before unchecked before doubtful. A plane that is silent on something that it must look
/// at has not looked at it.
pub fn judge(planes: &BTreeMap<PlaneId, Asked>, at: Timestamp) -> Verification {
    judge_of(planes, &Subject::ALL.map(Subject::as_str), at)
}

/// The same, where more is looked at.
pub fn judge_of(planes: &BTreeMap<PlaneId, Asked>, must: &[&str], at: Timestamp) -> Verification {
    let mut said: Vec<(FindingState, String)> = Vec::new();
    if planes.is_empty() {
        said.push((FindingState::Unchecked, "it has no plane".to_owned()));
    }
    for (plane, asked) in planes {
        match asked {
            Asked::Unasked(why) => said.push((FindingState::Unchecked, format!("plane {plane}: {why}"))),
            Asked::Answered(findings) => {
                let text = |one: &Finding| format!("plane {plane}, {}: {}", one.subject, one.text);
                said.extend(findings.iter().map(|one| (one.state, text(one))));
                let silent = must.iter().filter(|must| findings.iter().all(|one| one.subject != **must));
                said.extend(
                    silent.map(|must| {
                        (FindingState::Unchecked, format!("plane {plane}, {must}: nothing was said of it"))
                    }),
                );
            }
        }
    }
    let worst = said.iter().map(|(state, _)| *state).max().unwrap_or(FindingState::Sound);
    Verification { level: level(worst), at, message: message(worst, &said) }
}

fn level(worst: FindingState) -> Level {
    match worst {
        FindingState::Sound => Level::Sound,
        FindingState::Doubtful => Level::Partly,
        FindingState::Unchecked => Level::Unchecked,
        FindingState::Broken => Level::Broken,
    }
}

fn message(worst: FindingState, said: &[(FindingState, String)]) -> String {
    if worst == FindingState::Sound {
        return String::new();
    }
    let of = || said.iter().filter(|(state, _)| *state == worst);
    let named = of().take(NAMED).map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ");
    match of().count().saturating_sub(NAMED) {
        0 => cut(named, MESSAGE_MAX),
        more => cut(named, MESSAGE_MAX) + &format!("; and {more} more"),
    }
}
