//! What a backup takes up and what it added: known, still to come, or not to be known. Never a number that is too small.

use super::record::{Milestone, PlaneRecord, Record};
use crate::{ids::PlaneId, request::SizeLevel};

/// In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Nobody asked for it.
    Unwanted,
    /// Not yet told.
    Pending,
    /// Of all snapshots.
    Known(u64),
    /// Of some snapshots it cannot be told.
    Unknown,
}

impl Size {
    /// The number, where there is one.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::Unwanted | Self::Pending | Self::Unknown => None,
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Self::Known(one.saturating_add(other)),
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Unwanted, _) | (_, Self::Unwanted) => Self::Unwanted,
        }
    }
}

impl Record {
    /// How many snapshots of this plane the certificate names.
    pub(super) fn certified_of(&self, plane: &PlaneId) -> u32 {
        let certificate = self.certificate.as_ref();
        let named = certificate.and_then(|certificate| certificate.planes.get(plane));
        named.map_or(0, |part| u32::try_from(part.evidence.snapshots.len()).unwrap_or(u32::MAX))
    }

    /// This plane still has snapshots to measure.
    pub(super) fn measures_in(&self, plane: &PlaneId) -> bool {
        let kept = self.planes.get(plane).and_then(|kept| kept.increments.as_ref());
        self.milestone == Milestone::Complete && kept.is_some_and(|kept| kept.done < self.certified_of(plane))
    }

    /// The backup is Complete, and planes still measure what it added.
    pub fn measures(&self) -> bool {
        self.planes.keys().any(|plane| self.measures_in(plane))
    }

    /// Full size of all snapshots. 0 where nobody asked for it, as users know it (`facts/tidb-operator.md` §7).
    pub fn full_size(&self) -> Size {
        self.planes.values().map(full_size_of).reduce(Size::plus).unwrap_or(Size::Pending)
    }

    /// What the whole backup added.
    pub fn added(&self) -> Size {
        let of = |(plane, kept): (&PlaneId, &PlaneRecord)| self.added_by(plane, kept);
        self.planes.iter().map(of).reduce(Size::plus).unwrap_or(Size::Pending)
    }

    /// The same of one plane.
    pub fn added_by(&self, plane: &PlaneId, kept: &PlaneRecord) -> Size {
        match kept.increments {
            _ if !wanted(self.request.size_level) => Size::Unwanted,
            // A plane of an earlier version was not asked.
            None if kept.completed_bytes.is_some() => Size::Unknown,
            None => Size::Pending,
            Some(_) if self.milestone != Milestone::Complete || self.measures_in(plane) => Size::Pending,
            Some(told) if told.unknown > 0 => Size::Unknown,
            Some(told) => Size::Known(told.bytes),
        }
    }
}

/// Of one plane.
pub fn full_size_of(kept: &PlaneRecord) -> Size {
    match kept.completed_bytes {
        None => Size::Pending,
        Some(_) if kept.unknown_sizes > 0 => Size::Unknown,
        Some(bytes) => Size::Known(bytes),
    }
}

/// Does a request ask how much it added?
pub(super) fn wanted(level: SizeLevel) -> bool {
    matches!(level, SizeLevel::All | SizeLevel::Incremental)
}
