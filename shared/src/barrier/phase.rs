//! Where the machine stands, and what a plane refuses there.

use crate::{
    reason::Refusal,
    time::{Instant, Timestamp},
};
use serde::{Deserialize, Serialize};

/// Where the machine stands, exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Waiting for planes, then for `Prepared`.
    Preparing,
    /// Waiting for the claim of the TiDB cluster.
    Claiming,
    /// Lock objects.
    Reserving,
    /// PD held, leaders asked.
    Settling,
    /// Leases.
    Suspending,
    /// Regions proved.
    Covering,
    /// CreateSnapshots.
    Snapshotting,
    /// Last renewals, evidence.
    Confirming,
    /// Letting go, the good end.
    Releasing,
    /// After a restart: asking planes for evidence.
    Recovering,
    /// Snapshots on their way to S3.
    Completing,
    /// Done.
    Complete,
    /// Letting go and cleaning, the bad end.
    Aborting,
    /// Ended badly.
    Failed,
    /// Deleting.
    Cleaning,
    /// Gone.
    Cleaned,
}

impl Phase {
    /// The attempt may still come to a good end, and may be ended by a wish: it is neither Complete nor ending badly.
    pub fn runs(self) -> bool {
        match self {
            Self::Preparing
            | Self::Claiming
            | Self::Reserving
            | Self::Settling
            | Self::Suspending
            | Self::Covering
            | Self::Snapshotting
            | Self::Confirming
            | Self::Releasing
            | Self::Recovering
            | Self::Completing => true,
            Self::Complete | Self::Aborting | Self::Failed | Self::Cleaning | Self::Cleaned => false,
        }
    }
}

/// What a plane said last of the present step's order, if that was no: kept until it says yes, or the step is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastRefusal {
    /// Its reason and particulars.
    pub refusal: Refusal,
    /// When it first gave this reason, by the coordinator's wall clock.
    pub since: Timestamp,
    /// How often in a row, at most [`MAX_TRIES`](Self::MAX_TRIES). A new session counts from 0 again.
    pub tries: u32,
    /// When the order is repeated; `None`: it has been, and the answer is awaited.
    #[serde(skip)]
    pub again: Option<Instant>,
}

impl LastRefusal {
    /// Counted no further: the wait between two tries has long stopped to grow.
    pub const MAX_TRIES: u32 = 8;
}
