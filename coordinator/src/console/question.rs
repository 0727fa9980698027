//! What may be asked, by whom, and what comes back.

use super::restore::RestoreOptions;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    reason::cut,
    time::{Millis, Timestamp},
    wire::TEXT_MAX,
};
use shell::link::Role;

/// What an admin may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Question {
    /// Everything at a glance.
    Status,
    /// Planes and their sessions.
    Planes,
    /// Every backup, one line each.
    Backups,
    /// What runs, and the newest of all else, for a page.
    Glance {
        /// How many of the newest are left out.
        from: usize,
    },
    /// One backup whole; `name` or `namespace/name` or uid.
    Show {
        /// Which.
        name: String,
    },
    /// Why it is not done yet, and what to do.
    Why {
        /// Which.
        name: String,
    },
    /// Would a backup work? Nothing is changed.
    Check {
        /// A VolumeBackup or VolumeBackupSchedule, whose planes look at all that it needs; `None`: only what is known.
        name: Option<String>,
    },
    /// Is a Complete backup still whole? Nothing is changed.
    Verify {
        /// Which.
        name: String,
    },
    /// What would a restore of a Complete backup take, and would it work? Nothing is changed.
    RestorePlan {
        /// Which.
        name: String,
        /// What is asked for.
        #[serde(default)]
        options: RestoreOptions,
    },
    /// What this process alone knows, for who looks into what went wrong. Nothing is changed.
    Diagnose {
        /// Of whose machine the last steps are told; `None`: of all, as far as they fit.
        name: Option<String>,
    },
    /// What planes know of themselves: some of them, in the order of their names. Nothing is changed.
    DiagnosePlanes {
        /// A backup whose planes are meant, and whose steps; `None`: all planes, and as much as fits.
        name: Option<String>,
        /// Only planes whose names come behind this one; empty: from the first on.
        #[serde(default)]
        after: String,
    },
    /// Where its time went.
    Timeline {
        /// Which.
        name: String,
    },
    /// It is to be ended badly: let go, cleaned, Failed.
    Cancel {
        /// Which.
        name: String,
    },
    /// Drained planes.
    Drains,
    /// No barrier is to be begun for a plane until the drain ends; what is under way goes on.
    Drain {
        /// `None`: every plane.
        plane: Option<String>,
        /// `None`: an hour.
        length: Option<Millis>,
        /// For people who meet it; may be empty.
        #[serde(default)]
        because: String,
    },
    /// A drain is to end now.
    Release {
        /// `None`: the one of every plane.
        plane: Option<String>,
    },
    /// An object is to be as it is written here: a VolumeBackup or a VolumeBackupSchedule.
    Apply {
        /// The whole of it.
        manifest: Value,
    },
    /// An object is to be deleted, and what its policy says with it.
    Delete {
        /// `VolumeBackup` or `VolumeBackupSchedule`, or what they are called for short.
        kind: String,
        /// Which.
        name: String,
    },
    /// What the coordinator logs; or another filter from now on.
    LogLevel {
        /// As `--log` takes it; `None`: only tell.
        filter: Option<String>,
    },
    /// Records without an object; or one of them is to be deleted.
    Orphans {
        /// Its uid, and a person's word that what its policy names may go.
        delete: Option<String>,
        /// And what planes find in AWS that nothing names.
        #[serde(default)]
        planes: bool,
    },
    /// Restores; one of them whole.
    Restores {
        /// `name`, `namespace/name` or uid; `None`: all, one line each.
        name: Option<String>,
    },
    /// Schedules; one of them with its backups.
    Schedules {
        /// `name` or `namespace/name`; `None`: all, one line each.
        name: Option<String>,
        /// Only which backups stay or go, and why.
        plan: bool,
        /// At this moment; `None`: now.
        at: Option<Timestamp>,
    },
}

impl Question {
    /// Who may ask it.
    pub fn needs(&self) -> Role {
        match self {
            Self::Status
            | Self::Planes
            | Self::Backups
            | Self::Glance { .. }
            | Self::Show { .. }
            | Self::Why { .. }
            | Self::Check { .. }
            | Self::Verify { .. }
            | Self::RestorePlan { .. }
            | Self::Restores { .. }
            | Self::Diagnose { .. }
            | Self::DiagnosePlanes { .. }
            | Self::Drains
            | Self::Timeline { .. }
            | Self::Schedules { .. }
            | Self::LogLevel { filter: None }
            | Self::Orphans { delete: None, .. } => Role::Viewer,
            Self::Cancel { .. }
            | Self::Apply { .. }
            | Self::Drain { .. }
            | Self::Release { .. }
            | Self::LogLevel { filter: Some(_) } => Role::Operator,
            Self::Delete { .. } | Self::Orphans { delete: Some(_), .. } => Role::Admin,
        }
    }

    /// Why this may not be asked with such a certificate, if it may not.
    pub fn not_allowed(&self, role: Role, who: &str) -> Option<String> {
        let needs = self.needs();
        (role < needs).then(|| {
            tracing::warn!(who, %role, %needs, "console; not allowed");
            format!(
                "{who} is a {role}, and this takes an {needs}: a certificate of `coordinator pki admin NAME --role {needs}`"
            )
        })
    }
}

/// Who asks over HTTP, where nobody has a name. No certificate can have this one.
pub const OVER_HTTP: &str = "(http)";

/// A person's question is worth a line; a page asks every few seconds.
pub(super) fn log(who: &str, question: &Question) {
    if who == OVER_HTTP {
        tracing::debug!(who, ?question, "console");
    } else {
        tracing::info!(who, ?question, "console");
    }
}

/// As it came.
///
/// # Errors
/// It is no question, in words for who asked. What was asked may be as long as a frame, and the error quotes it.
pub fn question(body: &[u8]) -> Result<Question, String> {
    serde_json::from_slice(body)
        .map_err(|error| cut(format!("not a question this coordinator knows: {error}"), TEXT_MAX))
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answered {
    /// The answer.
    Ok(Value),
    /// Why there is none.
    Error(String),
    /// This replica is a standby and knows nothing; ask another.
    NotLeading {
        /// Who holds the Lease (its pod's name begins it), if this replica knows.
        leader: Option<String>,
    },
}

/// As it travels.
pub fn text(answered: &Answered) -> String {
    serde_json::to_string(answered).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// A question of which nothing came.
pub fn no_answer(why: String) -> String {
    text(&Answered::Error(why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whatever changes something takes more than a viewer; what is not a question is answered as such.
    #[test]
    fn only_what_changes_nothing_is_everybodys() {
        let name = || "nightly".to_owned();
        let table = [
            (Question::Status, Role::Viewer),
            (Question::Planes, Role::Viewer),
            (Question::Backups, Role::Viewer),
            (Question::Glance { from: 0 }, Role::Viewer),
            (Question::Show { name: name() }, Role::Viewer),
            (Question::Why { name: name() }, Role::Viewer),
            (Question::Check { name: Some(name()) }, Role::Viewer),
            (Question::Verify { name: name() }, Role::Viewer),
            (Question::RestorePlan { name: name(), options: RestoreOptions::default() }, Role::Viewer),
            (Question::Restores { name: None }, Role::Viewer),
            (Question::Diagnose { name: None }, Role::Viewer),
            (Question::DiagnosePlanes { name: None, after: String::new() }, Role::Viewer),
            (Question::Timeline { name: name() }, Role::Viewer),
            (Question::Schedules { name: None, plan: false, at: None }, Role::Viewer),
            (Question::Orphans { delete: None, planes: true }, Role::Viewer),
            (Question::LogLevel { filter: None }, Role::Viewer),
            (Question::LogLevel { filter: Some(name()) }, Role::Operator),
            (Question::Drains, Role::Viewer),
            (Question::Drain { plane: None, length: None, because: name() }, Role::Operator),
            (Question::Release { plane: None }, Role::Operator),
            (Question::Cancel { name: name() }, Role::Operator),
            (Question::Apply { manifest: Value::Null }, Role::Operator),
            (Question::Delete { kind: name(), name: name() }, Role::Admin),
            (Question::Orphans { delete: Some(name()), planes: false }, Role::Admin),
        ];
        for (question, needs) in table {
            for role in [Role::Viewer, Role::Operator, Role::Admin] {
                assert_eq!(question.not_allowed(role, "ann").is_none(), role >= needs, "{question:?} by a {role}");
            }
        }
        assert!(super::question(b"{}").unwrap_err().contains("not a question"));
    }
}
