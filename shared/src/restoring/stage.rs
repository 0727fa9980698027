//! Where a restore stands.

use super::request::{DrillLevel, RestoreLimits, RestoreRequest, Warm};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Saved before its orders are sent. In the order in which a good restore goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Planes look at backup and target.
    Looking,
    /// Waiting for the claim of the cluster that is restored into.
    Claiming,
    /// Planes look again: whoever held the claim before may have changed what they saw.
    Confirming,
    /// PD is marked, its clock is set.
    Marking,
    /// Volumes are made.
    Building,
    /// Their data is waited for.
    Warming,
    /// Kubernetes is told of them.
    Placing,
    /// TiKV may start: what follows is not undone by itself.
    Starting,
    /// Stores are waited for.
    Meeting,
    /// Leaders are elected.
    Leading,
    /// The flashback's times are taken.
    Timing,
    /// Regions are flashed back.
    RollingBack,
    /// What is there is looked at.
    Checking,
    /// The mark is taken away: nothing is flashed back any more.
    Unmarking,
    /// TiKV starts anew.
    Restarting,
    /// It is waited for.
    Settling,
    /// The operator's recovery mode ends.
    Finishing,
    /// Done.
    Complete,
    /// What was made is taken away.
    Undoing,
    /// Ended badly, and nothing of it is left, or it was to stay.
    Failed,
    /// Nothing of it is left, and its object goes.
    Cleaned,
}

/// Who has a part in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every plane.
    All,
    /// The init plane.
    Init,
    /// None.
    Nobody,
}

impl Stage {
    /// Every stage, for closed sets of labels.
    pub const ALL: [Self; 21] = [
        Self::Looking,
        Self::Claiming,
        Self::Confirming,
        Self::Marking,
        Self::Building,
        Self::Warming,
        Self::Placing,
        Self::Starting,
        Self::Meeting,
        Self::Leading,
        Self::Timing,
        Self::RollingBack,
        Self::Checking,
        Self::Unmarking,
        Self::Restarting,
        Self::Settling,
        Self::Finishing,
        Self::Complete,
        Self::Undoing,
        Self::Failed,
        Self::Cleaned,
    ];

    /// As status, metrics and console write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Looking => "Looking",
            Self::Claiming => "Claiming",
            Self::Confirming => "Confirming",
            Self::Marking => "Marking",
            Self::Building => "Building",
            Self::Warming => "Warming",
            Self::Placing => "Placing",
            Self::Starting => "Starting",
            Self::Meeting => "Meeting",
            Self::Leading => "Leading",
            Self::Timing => "Timing",
            Self::RollingBack => "RollingBack",
            Self::Checking => "Checking",
            Self::Unmarking => "Unmarking",
            Self::Restarting => "Restarting",
            Self::Settling => "Settling",
            Self::Finishing => "Finishing",
            Self::Complete => "Complete",
            Self::Undoing => "Undoing",
            Self::Failed => "Failed",
            Self::Cleaned => "Cleaned",
        }
    }

    /// Who is ordered something.
    pub const fn part(self) -> Part {
        match self {
            Self::Looking
            | Self::Confirming
            | Self::Building
            | Self::Warming
            | Self::Placing
            | Self::Starting
            | Self::Restarting
            | Self::Finishing
            | Self::Undoing => Part::All,
            Self::Marking
            | Self::Meeting
            | Self::Leading
            | Self::Timing
            | Self::RollingBack
            | Self::Checking
            | Self::Unmarking
            | Self::Settling => Part::Init,
            Self::Claiming | Self::Complete | Self::Failed | Self::Cleaned => Part::Nobody,
        }
    }

    /// Nothing is left to do.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cleaned)
    }

    /// It goes on towards a good end.
    pub const fn runs(self) -> bool {
        !self.is_over() && !matches!(self, Self::Undoing)
    }

    /// TiKV may have started on the new volumes.
    pub fn has_started(self) -> bool {
        (Self::Starting..=Self::Complete).contains(&self)
    }

    /// Something was made, or may have been.
    pub fn has_touched(self) -> bool {
        (Self::Marking..=Self::Undoing).contains(&self)
    }

    /// How long it may take; `None`: as long as it does.
    pub const fn limit(self, limits: &RestoreLimits) -> Option<Millis> {
        Some(match self {
            Self::Looking
            | Self::Confirming
            | Self::Marking
            | Self::Placing
            | Self::Starting
            | Self::Timing
            | Self::Unmarking
            | Self::Restarting
            | Self::Finishing => limits.short,
            Self::Building => limits.build,
            Self::Warming => limits.warm,
            Self::Meeting | Self::Settling => limits.stores,
            Self::Leading => limits.lead,
            Self::RollingBack => limits.roll_back,
            Self::Checking => limits.check,
            Self::Claiming | Self::Complete | Self::Undoing | Self::Failed | Self::Cleaned => return None,
        })
    }

    /// What comes after it, if it ends well.
    pub fn next(self, request: &RestoreRequest) -> Self {
        let warm = request.warm == Warm::First;
        match (self, request.drill) {
            (Self::Looking, Some(DrillLevel::Look)) => Self::Complete,
            (Self::Looking, Some(DrillLevel::Volumes)) => Self::Building,
            (Self::Building, _) if warm => Self::Warming,
            (Self::Building | Self::Warming, Some(_)) => Self::Undoing,
            (Self::Building | Self::Warming, None) => Self::Placing,
            (Self::Looking, None) => Self::Claiming,
            (Self::Claiming, _) => Self::Confirming,
            (Self::Confirming, _) => Self::Marking,
            (Self::Marking, _) => Self::Building,
            (Self::Placing, _) => Self::Starting,
            (Self::Starting, _) => Self::Meeting,
            (Self::Meeting, _) => Self::Leading,
            (Self::Leading, _) => Self::Timing,
            (Self::Timing, _) => Self::RollingBack,
            (Self::RollingBack, _) => Self::Checking,
            (Self::Checking, _) => Self::Unmarking,
            (Self::Unmarking, _) => Self::Restarting,
            (Self::Restarting, _) => Self::Settling,
            (Self::Settling, _) => Self::Finishing,
            (Self::Finishing, _) => Self::Complete,
            (over, _) => over,
        }
    }
}
