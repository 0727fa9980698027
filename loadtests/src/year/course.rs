//! What a year came to.

use super::{args::YearArgs, identities::Identities, months::Month, proofs::Proofs};

/// What its bounds judge.
pub(super) struct Course<'a> {
    pub(super) args: &'a YearArgs,
    pub(super) identities: Identities,
    pub(super) proofs: Proofs,
    /// Attempts that planes' ledgers had before upgrades and not after the next backup.
    pub(super) forgotten: usize,
    /// Lines that say that a certificate or list ends soon.
    pub(super) reminders: u64,
    /// The oldest that the last good backup of each schedule ever was, in intervals.
    pub(super) oldest: [f64; 2],
    pub(super) months: Vec<Month>,
}
