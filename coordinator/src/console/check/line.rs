//! One check as it is told, and where the runbook says more.

use serde_json::{Value, json};
use shared::{
    ids::PlaneId,
    reason::{Reason, Refusal, cut},
    time::{Millis, Timestamp},
    verify::Asked,
    wire::{Finding, FindingState},
};
use shell::expiry::days_left;

/// Days before its end at which a certificate is warned of: as long as renewing one may lie about.
const ENDS_SOON: i64 = 30;
/// Bytes of what one check found: some lines on a terminal.
pub(in crate::console) const FOUND_MAX: usize = 1024;
/// Where the reasons stand.
const RUNBOOK: &str = "deploy/runbook.md";

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::console) enum State {
    /// As a backup needs it.
    Fine,
    /// A backup would go on; a person should know.
    Warning,
    /// A backup would be refused.
    Refused,
}

impl State {
    /// In JSON.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Refused => "refused",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct Line {
    group: String,
    what: String,
    pub(in crate::console) state: State,
    found: String,
    took: Option<Millis>,
    reason: Option<Reason>,
    anchor: Option<String>,
}

impl Line {
    pub(in crate::console) fn fine(group: impl Into<String>, what: &str, found: impl Into<String>) -> Self {
        let what = plain(what.to_owned());
        Self {
            group: group.into(),
            what,
            state: State::Fine,
            found: plain(found.into()),
            took: None,
            reason: None,
            anchor: None,
        }
    }

    pub(in crate::console) fn of(group: impl Into<String>, what: &str, state: State, why: &Refusal) -> Self {
        let anchor = Some(why.reason.as_str().to_lowercase());
        Self { state, reason: Some(why.reason), anchor, ..Self::fine(group, what, why.message.clone()) }
    }

    /// What the published table has no word for: no backup ends by it.
    pub(in crate::console) fn without(
        group: impl Into<String>,
        what: &str,
        state: State,
        found: String,
        anchor: &str,
    ) -> Self {
        Self { state, anchor: Some(anchor.to_owned()), ..Self::fine(group, what, found) }
    }

    /// What a plane found; of what nobody looked at the page `unchecked` says more.
    pub(in crate::console) fn found(group: &str, one: &Finding, anchor: &str, unchecked: &str) -> Self {
        let of = |state, anchor: &str| Self::without(group, &one.subject, state, one.text.clone(), anchor);
        match one.state {
            FindingState::Sound => Self::fine(group, &one.subject, one.text.clone()),
            FindingState::Doubtful => of(State::Warning, anchor),
            FindingState::Unchecked => of(State::Refused, unchecked),
            FindingState::Broken => of(State::Refused, anchor),
        }
    }

    /// What came of asking a plane, a line for each finding.
    pub(in crate::console) fn of_plane(
        plane: &PlaneId,
        asked: &Asked,
        unchecked: &str,
        line: impl Fn(&str, &Finding) -> Self,
    ) -> Vec<Self> {
        let group = format!("plane {plane}");
        match asked {
            Asked::Unasked(why) => vec![Self::without(group, "plane", State::Refused, why.clone(), unchecked)],
            Asked::Answered(findings) => findings.iter().map(|finding| line(&group, finding)).collect(),
        }
    }

    pub(in crate::console) fn took(self, took: Millis) -> Self {
        Self { took: Some(took), ..self }
    }

    /// Another place of the runbook says more.
    pub(in crate::console) fn see(self, anchor: &str) -> Self {
        Self { anchor: Some(anchor.to_owned()), ..self }
    }

    pub(in crate::console) fn row(&self) -> Value {
        json!({
            "group": self.group,
            "what": self.what,
            "state": self.state.as_str(),
            "found": self.found,
            "took_ms": self.took,
            "reason": self.reason.map(Reason::as_str),
            "action": self.reason.map(Reason::action),
            "runbook": self.anchor.as_ref().map(|anchor| format!("{RUNBOOK}#{anchor}")),
        })
    }
}

/// Nothing that a terminal obeys, and not too much of it.
fn plain(text: String) -> String {
    let text = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text };
    cut(text, FOUND_MAX)
}

/// This program's, which planes are compared with.
pub(in crate::console) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Something that is good until then.
pub(in crate::console) fn ending(group: &str, what: &str, whose: &str, end: Timestamp, now: Timestamp) -> Line {
    let days = days_left(end, now);
    let text = format!("{whose} ends {}, {days} days left", shared::calendar::rfc3339(end));
    if days >= ENDS_SOON {
        return Line::fine(group, what, text);
    }
    let state = if days < 0 { State::Refused } else { State::Warning };
    // What its end comes to for a backup.
    Line::of(group, what, state, &Refusal::new(Reason::PlaneNotConnected, text)).see("isochroncertificateends")
}
