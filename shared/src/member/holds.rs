//! Store holds as the machine knows them.

use crate::{
    evidence::{HoldKind, StoreEvidence},
    time::{Instant, Millis},
};

/// One store's hold as the machine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StoreHold {
    /// Until then its lease lives for certain: when the last renewal that was answered true was asked for, plus the
    /// lease (`facts/pd-tikv.md` §2.1: a lease taken at t rejects at least until t + L).
    pub(super) until: Instant,
    pub(super) kind: HoldKind,
    /// A renewal not yet answered: its number and when it was asked for.
    pub(super) asked: Option<(u64, Instant)>,
    pub(super) sent: u64,
    pub(super) valid: u64,
    pub(super) confirmation: Confirmation,
}

/// Where the confirmation of one store stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Confirmation {
    /// Not ordered.
    None,
    /// Ordered while an earlier renewal was unanswered: that one does not count.
    Due,
    /// This renewal is the one.
    Asked(u64),
    /// It was answered true; frozen, because later renewals may be on their way when evidence is saved.
    Done(StoreEvidence),
}

impl StoreHold {
    pub(super) fn new(until: Instant, kind: HoldKind) -> Self {
        Self { until, kind, asked: None, sent: 0, valid: 0, confirmation: Confirmation::None }
    }

    /// What is certainly left of the lease.
    pub(super) fn margin(&self, now: Instant) -> Millis {
        self.until.since(now)
    }
}
