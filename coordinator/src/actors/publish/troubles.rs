//! Events about what does not move: one for each reason that a plane gives, not for each time that it says so.

use crate::ports::EventKind;
use shared::{
    barrier::{Milestone, View},
    ids::PlaneId,
    reason::Reason,
};
use std::collections::BTreeMap;

/// Reason of the event that says what planes found while cleaning.
pub(super) const CLEAN_NOTE: &str = "CleanNote";

/// What has been told.
#[derive(Default)]
pub(super) struct Troubles {
    /// Whose last refusal, and its reason.
    refused: BTreeMap<PlaneId, Reason>,
    /// The attempt whose clean-up is over, and told of.
    noted: Option<u32>,
    /// It was told that S3 proves what the record calls failed.
    proven: bool,
    /// Anything was seen: what the first view shows to be over was told by whoever ran before.
    seen: bool,
}

impl Troubles {
    /// Events that this view asks for.
    pub(super) fn news(&mut self, view: &View) -> Vec<(EventKind, &'static str, String)> {
        let mut news = Vec::new();
        let before = std::mem::take(&mut self.refused);
        for (plane, last) in view.refused() {
            let refusal = &last.refusal;
            self.refused.insert(plane.clone(), refusal.reason);
            if before.get(plane) != Some(&refusal.reason) {
                let cleans = matches!(view.record.milestone, Milestone::Failed | Milestone::Cleaning);
                let word = if cleans { Reason::CleanFailed } else { refusal.reason };
                let cause = if word == refusal.reason { String::new() } else { format!("{}: ", refusal.reason) };
                let message = format!("plane {plane}: {cause}{} It is tried again.", refusal.advice());
                news.push((EventKind::Warning, word.as_str(), message));
            }
        }
        let failure = view.record.failure.as_ref().filter(|refusal| refusal.reason == Reason::BackupProven);
        if let Some(refusal) = failure.filter(|_| !std::mem::replace(&mut self.proven, true)) {
            tracing::error!(backup = %view.record.key(), %refusal, "a record is older than its backup, which is kept");
            news.push((EventKind::Warning, Reason::BackupProven.as_str(), refusal.advice().to_string()));
        }
        if is_clean(view) && self.noted != Some(view.record.attempt) {
            self.noted = Some(view.record.attempt);
            news.extend(notes(view).filter(|_| self.seen).map(|notes| (EventKind::Normal, CLEAN_NOTE, notes)));
        }
        self.seen = true;
        news
    }
}

/// An attempt that failed, and everything of it is gone.
pub(super) fn is_clean(view: &View) -> bool {
    let record = &view.record;
    record.milestone == Milestone::Failed && record.planes.values().all(|kept| kept.cleaned.is_some() || kept.abandoned)
}

/// What planes found while cleaning.
pub(super) fn notes(view: &View) -> Option<String> {
    let cleaned = view.record.planes.iter().filter_map(|(plane, kept)| Some((plane, kept.cleaned.as_ref()?)));
    let notes: Vec<_> = cleaned
        .filter(|(_, report)| !report.notes.is_empty())
        .map(|(plane, report)| format!("plane {plane}: {}", report.notes.join("; ")))
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
