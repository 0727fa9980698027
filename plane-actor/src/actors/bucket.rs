//! One of EC2's buckets as this plane takes from it.

use crate::budgets::Action;
use shared::{
    limiter::{Budget, Limiter},
    pace::Pace,
    time::{Instant, Millis},
};

/// One bucket of EC2: account, Region, action (`facts/aws.md` A7).
pub(super) type BucketKey = (String, String, Action);

/// Of one account, Region and action.
pub(super) enum Bucket {
    /// Its budget is kept: a barrier must know what it has, and a throttle is soon forgotten.
    Kept(Limiter),
    /// Its rate is sought: the work has time, and other planes and backups do the same at once.
    Sought(Pace),
}

impl Bucket {
    /// A full one.
    pub(super) fn new(action: Action, budget: Budget, now: Instant) -> Self {
        match action {
            Action::DeleteSnapshot | Action::DeleteVolume | Action::ListChangedBlocks | Action::ListSnapshotBlocks => {
                Self::Sought(Pace::new(budget, now))
            }
            Action::CreateSnapshots
            | Action::CreateSnapshot
            | Action::CreateVolume
            | Action::DescribeByIds
            | Action::DescribeByFilter
            | Action::VolumesByIds
            | Action::VolumesByFilter
            | Action::VolumeStatus => Self::Kept(Limiter::new(budget, now)),
        }
    }

    /// Takes room for one call, or says when to ask again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Millis> {
        match self {
            Self::Kept(limiter) => limiter.take(now, 1),
            Self::Sought(pace) => pace.take(now),
        }
    }

    /// As it stands now, to be shown.
    pub(super) const fn limiter(&self) -> &Limiter {
        match self {
            Self::Kept(limiter) => limiter,
            Self::Sought(pace) => pace.limiter(),
        }
    }

    /// EC2 refused a call by rate.
    pub(super) fn throttled(&mut self, now: Instant) {
        match self {
            Self::Kept(limiter) => limiter.penalty(now),
            Self::Sought(pace) => pace.throttled(now),
        }
    }

    /// Another budget from now on.
    pub(super) fn set_budget(&mut self, now: Instant, budget: Budget) {
        match self {
            Self::Kept(limiter) => limiter.set_budget(now, budget),
            Self::Sought(pace) => pace.set_budget(now, budget),
        }
    }
}
