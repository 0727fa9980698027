//! A row of the table: one month, and the rest at its end.

use super::{identities::Made, proofs::Proofs, sessions::Sessions};
use crate::soak::Rest;
use serde::Serialize;
use std::fmt::Write;

/// Counts are of the month alone.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Month {
    /// From 1.
    pub(super) number: u32,
    pub(super) backups: usize,
    /// Complete, consistent, and so by oracle and bank.
    pub(super) proven: u64,
    pub(super) failed: u64,
    pub(super) renewals: u64,
    pub(super) lists: u64,
    pub(super) failures: u32,
    pub(super) sessions: Sessions,
    /// No process was restarted.
    pub(super) undisturbed: bool,
    /// Sessions open at rest.
    pub(super) linked: usize,
    /// Certificates and keys in the authority's folder.
    pub(super) files: usize,
    /// Bytes of its lists of the revoked.
    pub(super) list_bytes: usize,
    /// All that is counted at rest.
    pub(super) rest: Rest,
}

/// What was counted until the end of the month before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    backups: usize,
    proven: u64,
    failed: u64,
    made: Made,
    failures: u32,
    sessions: Sessions,
}

impl Before {
    pub(super) fn of(backups: usize, proofs: &Proofs, made: Made, failures: u32, sessions: Sessions) -> Self {
        Self { backups, proven: proofs.true_ones, failed: proofs.failed, made, failures, sessions }
    }

    /// What came since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let (made, last) = (self.made, before.made);
        Self {
            backups: self.backups - before.backups,
            proven: self.proven - before.proven,
            failed: self.failed - before.failed,
            made: Made {
                renewals: made.renewals - last.renewals,
                lists: made.lists - last.lists,
                in_hold: made.in_hold - last.in_hold,
            },
            failures: self.failures - before.failures,
            sessions: self.sessions.since(before.sessions),
        }
    }

    pub(super) fn month(
        self,
        number: u32,
        undisturbed: bool,
        linked: usize,
        kept: (usize, usize),
        rest: Rest,
    ) -> Month {
        let (backups, proven, failed) = (self.backups, self.proven, self.failed);
        let (Made { renewals, lists, .. }, failures, sessions) = (self.made, self.failures, self.sessions);
        let (files, list_bytes) = kept;
        Month {
            number,
            backups,
            proven,
            failed,
            renewals,
            lists,
            failures,
            sessions,
            undisturbed,
            linked,
            files,
            list_bytes,
            rest,
        }
    }
}

/// Months in rows. What the letters above mean stands in `loadtests/README.md`.
pub(super) fn table(months: &[Month]) -> String {
    let mut text = format!(
        "{:>5} {:>7} {:>6} {:>6} {:>6} {:>8} {:>5} | {:>7} {:>7} {:>5} {:>6} {:>5} {:>3} {:>4} | {:>9} {:>7} {:>6} {:>6} {:>5} {:>5}\n",
        "month",
        "backups",
        "proven",
        "failed",
        "faults",
        "renewals",
        "lists",
        "through",
        "session",
        "anew",
        "broken",
        "fault",
        "cut",
        "HELD",
        "bytes",
        "objects",
        "record",
        "series",
        "files",
        "crl",
    );
    for month in months {
        let (sessions, rest) = (&month.sessions, &month.rest);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:>4}{} {:>7} {:>6} {:>6} {:>6} {:>8} {:>5} | {:>7} {:>7} {:>5} {:>6} {:>5} {:>3} {:>4} | {:>9} {:>7} {:>6.2} {:>6} {:>5} {:>5}",
            month.number,
            if month.undisturbed { ' ' } else { '*' },
            month.backups,
            month.proven,
            month.failed,
            month.failures,
            month.renewals,
            month.lists,
            sessions.through,
            sessions.begun,
            sessions.anew,
            sessions.explained,
            sessions.lost_to_faults,
            sessions.cut,
            sessions.in_hold,
            rest.live,
            rest.objects,
            rest.longest,
            rest.series,
            month.files,
            month.list_bytes,
        );
    }
    text
}
