//! Where an attempt stands in this plane.

use crate::{
    evidence::{HoldKind, StoreEvidence},
    request::MemberSpec,
    time::{Instant, Millis},
    wire::{PlanePhase, Prepared},
};

/// In the order in which a good attempt goes through them; orders compare against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing is known.
    Idle,
    /// Discovery runs.
    Preparing,
    /// Nothing was touched.
    Prepared,
    /// The epoch is saved; lock and clustermeta are being written.
    Reserving,
    /// They are there.
    Reserved,
    /// Init plane: PD is being held.
    HoldingPd,
    /// Init plane: PD is held.
    PdHeld,
    /// Leaders are asked for their safe_ts.
    Asking,
    /// They have answered.
    Settled,
    /// Leases are being taken.
    Suspending,
    /// Every store is held.
    Suspended,
    /// A round of coverage runs.
    Covering,
    /// It is done.
    Covered,
    /// Snapshots are being asked for.
    Snapshotting,
    /// All were accepted.
    Snapshotted,
    /// The confirmation's renewals are under way.
    Confirming,
    /// They were answered; stores, attachments and PD are read.
    ReadingBack,
    /// Evidence is saved.
    Confirmed,
    /// Evidence is saved and nothing is held.
    Released,
    /// Will never be confirmed any more.
    Broken,
}

impl Phase {
    /// The epoch is obeyed and the attempt may still come to be confirmed: any hold that ends breaks it.
    pub fn is_live(self) -> bool {
        (Self::Reserving..=Self::ReadingBack).contains(&self)
    }

    /// Evidence is saved.
    pub fn is_confirmed(self) -> bool {
        matches!(self, Self::Confirmed | Self::Released)
    }

    /// What people call it.
    pub fn plane_phase(self) -> PlanePhase {
        match self {
            Self::Idle | Self::Preparing | Self::Prepared | Self::Reserving | Self::Reserved => PlanePhase::Preparing,
            Self::HoldingPd | Self::PdHeld | Self::Asking | Self::Settled => PlanePhase::Settling,
            Self::Suspending | Self::Suspended => PlanePhase::Suspending,
            Self::Covering | Self::Covered => PlanePhase::Covering,
            Self::Snapshotting | Self::Snapshotted => PlanePhase::Snapshotting,
            Self::Confirming | Self::ReadingBack => PlanePhase::Confirming,
            Self::Confirmed | Self::Released | Self::Broken => PlanePhase::Releasing,
        }
    }
}

/// What `Prepare` brought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    pub(super) spec: MemberSpec,
    pub(super) prepared: Prepared,
}

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
