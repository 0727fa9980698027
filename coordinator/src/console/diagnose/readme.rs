//! The first file of an archive: what it is, what is in it, what is missing and why.

use shared::{calendar::rfc3339, time::Timestamp};
use shell::redact;

/// What became of the questions.
#[derive(Debug, Default)]
pub struct Told {
    /// What was asked, where the answer is, what it tells.
    pub there: Vec<(String, &'static str)>,
    /// What is missing, and why.
    pub missing: Vec<(String, String)>,
    /// Planes that have said nothing of themselves, and why.
    pub silent: Vec<(String, String)>,
}

impl Told {
    /// The text.
    pub(super) fn readme(&self, at: Timestamp, name: Option<&str>) -> String {
        let about = name.map_or(String::new(), |name| format!(" and of the backup {name}"));
        let mut text = format!(
            "Isochron, a look at a coordinator and its planes{about}, taken {} by a console of version {}.\n\
             Everything here is text. Secrets are not among it: what looked like one reads {}.\n\n",
            rfc3339(at),
            env!("CARGO_PKG_VERSION"),
            redact::REMOVED
        );
        for (place, tells) in &self.there {
            text.push_str(&format!("{place:<20} {tells}\n"));
        }
        if self.missing.is_empty() {
            text.push_str("\nNothing is missing.\n");
        } else {
            text.push_str("\nMissing:\n");
        }
        for (place, why) in &self.missing {
            text.push_str(&format!("{place:<20} {}\n", redact::text(why)));
        }
        if !self.silent.is_empty() {
            text.push_str("\nPlanes that say nothing of themselves:\n");
        }
        for (plane, why) in &self.silent {
            text.push_str(&format!("{plane:<20} {}\n", redact::text(why)));
        }
        text.push_str(
            "\nWhere to begin: backup/why.txt and backup/timeline.txt, then check.txt, coordinator/log.txt, and\n\
             coordinator/machines.json, where a line is one step of a machine: when, what it was told, what it wanted done;\n\
             planes/NAME/ has the same of a plane, and what it holds.\n\
             Reasons are explained in deploy/runbook.md.\n",
        );
        text
    }
}
