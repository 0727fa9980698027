//! A backup that takes, or is about to take, its snapshots.

use super::{Calls, Place};
use crate::{
    ids::PlaneId,
    time::{Instant, Millis},
    wire::CallBudgets,
};
use std::collections::{BTreeMap, BTreeSet};

/// The calls of one plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Where.
    pub place: Place,
    /// How many.
    pub calls: Calls,
    /// What it says its account may call; `None`: EC2's defaults.
    pub budgets: Option<CallBudgets>,
}

/// All the calls that take one attempt's snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Of which backup, for people.
    pub name: String,
    /// By plane.
    pub planes: BTreeMap<PlaneId, Takes>,
    /// They must all be through within it.
    pub hold: Millis,
}

impl Demand {
    pub(super) fn places(&self) -> BTreeSet<&Place> {
        self.planes.values().map(|takes| &takes.place).collect()
    }

    pub(super) fn at(&self, place: &Place) -> impl Iterator<Item = (Calls, Option<CallBudgets>)> {
        self.planes.values().filter(move |takes| takes.place == *place).map(|takes| (takes.calls, takes.budgets))
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        !self.places().is_disjoint(&other.places())
    }
}

/// One that may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taking {
    pub(super) demand: Demand,
    /// When its calls were ordered; before that none was made.
    pub(super) ordered: Option<Instant>,
}

impl Taking {
    /// Of its hold, that is left.
    pub(super) fn left(&self, now: Instant) -> Millis {
        let gone = self.ordered.map_or(Millis(0), |ordered| now.since(ordered));
        Millis(self.demand.hold.0.saturating_sub(gone.0))
    }
}

/// It may not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Nothing is lost by asking again before that.
    pub again: Millis,
    /// What it waits for, for people.
    pub text: String,
}
