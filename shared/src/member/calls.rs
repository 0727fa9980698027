//! CreateSnapshots calls of this attempt, as far as they are known: what is looked for when it is completed or cleaned, and
//! how long finding nothing may still mean that EC2 does not show it yet (`facts/aws.md` A2).

use crate::{ids::SnapshotId, time::Instant};
use std::collections::BTreeSet;

/// What calls have made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotCalls {
    /// None was made.
    None,
    /// Every call was answered, with these, a surplus included.
    Known(BTreeSet<SnapshotId>),
    /// One may have had an effect that is not known.
    Unknown,
}

/// What work is told that looks for what calls have made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallsMade {
    /// What they have made.
    pub snapshots: SnapshotCalls,
    /// None was made later than this.
    pub last: Instant,
}

/// The machine's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Calls {
    snapshots: SnapshotCalls,
    /// Whatever an earlier process, or member of it, called for was before this member began.
    last: Instant,
    /// This member was there when the attempt reserved its place: what calls there were, it made.
    seen_all: bool,
    /// The work that makes them now.
    making: Option<u64>,
}

impl Calls {
    /// After a restart nobody knows whether one was under way.
    pub(super) fn new(restored: bool, now: Instant) -> Self {
        let snapshots = if restored { SnapshotCalls::Unknown } else { SnapshotCalls::None };
        Self { snapshots, last: now, seen_all: false, making: None }
    }

    pub(super) fn attempt_reserved(&mut self) {
        self.seen_all = true;
    }

    pub(super) fn begin(&mut self, work: u64) {
        (self.snapshots, self.making) = (SnapshotCalls::Unknown, Some(work));
    }

    /// From here on no call is made any more, if this was the work that made them.
    pub(super) fn work_over(&mut self, work: u64, now: Instant) {
        if self.making == Some(work) {
            (self.making, self.last) = (None, now);
        }
    }

    pub(super) fn answered(&mut self, snapshots: SnapshotCalls) {
        self.snapshots = snapshots;
    }

    /// A member that was made after the calls (its predecessor could not save, or made room, and the ledger forgot the
    /// attempt) does not know that there were none.
    pub(super) fn doubt(&mut self) {
        if !self.seen_all && self.snapshots == SnapshotCalls::None {
            self.snapshots = SnapshotCalls::Unknown;
        }
    }

    pub(super) fn made(&self) -> CallsMade {
        CallsMade { snapshots: self.snapshots.clone(), last: self.last }
    }
}
