//! What is known of a plane, and what it found when it was asked.

use super::line::{Line, State, VERSION, ending};
use shared::{
    calendar::rfc3339,
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
    wire::{PreflightCheck, Preflighted},
};

/// Checks of one plane that are shown; it makes some fourteen.
const CHECKS_MAX: usize = 32;
/// Clocks may differ so much before it is worth a word; AWS refuses calls from 5 min on. What the answer took on its way is
/// in the difference.
const CLOCKS_DIFFER: Millis = Millis::secs(30);

/// The session of a plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// When it began.
    pub since: Timestamp,
    /// Its number.
    pub generation: u64,
    /// The plane actor's version.
    pub version: String,
    /// When the plane's certificate ends, where that is known.
    pub ends: Option<Timestamp>,
}

/// An answer, and when it was heard by the coordinator's wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What the plane found.
    pub found: Preflighted,
    /// When.
    pub at: Timestamp,
}

/// One plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfPlane {
    /// k8sClusterName.
    pub name: String,
    /// What is checked hangs on it. Otherwise its absence is no more than a warning.
    pub needed: bool,
    /// `None`: it is not connected.
    pub session: Option<Session>,
    /// When this process lost its last session; `None`: never had one, or has one.
    pub last_seen: Option<Timestamp>,
    /// What it said when it was asked, or why it said nothing; `None`: it was not asked.
    pub told: Option<Result<Heard, Refusal>>,
}

pub(super) fn lines(plane: &OfPlane, now: Timestamp) -> Vec<Line> {
    let group = format!("plane {}", plane.name);
    let mut lines = match &plane.session {
        Some(session) => session_lines(&group, session, now),
        None => vec![away(&group, plane)],
    };
    match &plane.told {
        None => {}
        Some(Err(refusal)) => lines.push(Line::of(&group, "preflight", State::Refused, refusal)),
        Some(Ok(heard)) => {
            lines.extend(clocks(&group, heard));
            lines.extend(heard.found.checks.iter().take(CHECKS_MAX).flat_map(|check| of_check(&group, check)));
            lines.extend(unsaid(&group, &heard.found));
        }
    }
    lines
}

fn away(group: &str, plane: &OfPlane) -> Line {
    let seen = plane.last_seen.map_or("not seen by this process".to_owned(), |at| format!("last seen {}", rfc3339(at)));
    let state = if plane.needed { State::Refused } else { State::Warning };
    Line::of(group, "session", state, &Refusal::new(Reason::PlaneNotConnected, format!("not connected; {seen}")))
}

fn session_lines(group: &str, session: &Session, now: Timestamp) -> Vec<Line> {
    let Session { since, generation, version, ends } = session;
    let mut lines =
        vec![Line::fine(group, "session", format!("number {generation}, connected since {}", rfc3339(*since)))];
    lines.push(match version == VERSION {
        true => Line::fine(group, "version", format!("{version}, as the coordinator's")),
        false => {
            let text = format!("{version}; the coordinator's is {VERSION}");
            Line::without(group, "version", State::Warning, text, "versions-differ")
        }
    });
    lines.extend(ends.map(|end| ending(group, "certificate", "the plane's", end, now)));
    lines
}

/// `None`: a plane of an earlier version does not say.
fn clocks(group: &str, heard: &Heard) -> Option<Line> {
    let plane = heard.found.at?;
    let (apart, which) = match plane.0.saturating_sub(heard.at.0) {
        ahead @ 0.. => (ahead, "ahead of"),
        behind => (behind.saturating_neg(), "behind"),
    };
    let apart = Millis(apart.unsigned_abs());
    let text = format!("{apart} {which} the coordinator's");
    Some(if apart <= CLOCKS_DIFFER {
        Line::fine(group, "clock", text)
    } else {
        Line::of(group, "clock", State::Warning, &Refusal::new(Reason::NodeClockWrong, text))
    })
}

/// It found nothing amiss and does not say what it would prepare, so that nothing is known of all planes together.
fn unsaid(group: &str, found: &Preflighted) -> Option<Line> {
    let amiss = found.checks.iter().any(|check| check.result.is_err());
    let text = "of an earlier version: whether the planes fit together is not known";
    (found.prepared.is_none() && !amiss)
        .then(|| Line::without(group, "preflight", State::Warning, text.to_owned(), "versions-differ"))
}

/// What was found, and in a line of its own what a person should know of it.
fn of_check(group: &str, check: &PreflightCheck) -> Vec<Line> {
    let PreflightCheck { what, took, result, warning } = check;
    let line = match result {
        Ok(found) => Line::fine(group, what, found.clone()),
        Err(refusal) => Line::of(group, what, State::Refused, refusal),
    };
    let warning = warning.as_ref().map(|warning| Line::of(group, what, State::Warning, warning));
    std::iter::once(line.took(*took)).chain(warning).collect()
}
