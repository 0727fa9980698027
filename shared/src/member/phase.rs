//! Where an attempt stands in this plane.

use crate::wire::PlanePhase;

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
