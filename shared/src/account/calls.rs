//! The calls that take snapshots, one for each instance. An instance with exactly one volume may go through CreateSnapshot as
//! well, which has a bucket of its own; several volumes are one moment only in their one CreateSnapshots.

use crate::{
    evidence::PreparedStore,
    ids::InstanceId,
    limiter::Budget,
    time::Millis,
    wire::{CallBudgets, CallShare},
};
use std::collections::BTreeMap;

/// What nobody has said otherwise.
const DEFAULT: CallBudgets = CallBudgets { sets: Budget::EC2_CREATE_SNAPSHOTS, one_volume: None };

/// Calls of one plane, or of all that work in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Calls {
    /// That can only be CreateSnapshots.
    pub sets: u32,
    /// That may be either.
    pub either: u32,
    /// Of `sets`: those with one volume, in planes whose role does not allow CreateSnapshot.
    pub barred: u32,
}

impl Calls {
    /// Of these stores.
    pub fn of(stores: &[PreparedStore], budgets: Option<CallBudgets>) -> Self {
        let mut volumes: BTreeMap<&InstanceId, usize> = BTreeMap::new();
        for store in stores {
            *volumes.entry(&store.instance).or_default() += store.volumes.len();
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let ones = count(volumes.values().filter(|number| **number == 1).count());
        let all = count(volumes.len());
        match budgets.and_then(|budgets| budgets.one_volume) {
            Some(_) => Self { sets: all - ones, either: ones, barred: 0 },
            None => Self { sets: all, either: 0, barred: ones },
        }
    }

    /// Both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            sets: self.sets.saturating_add(other.sets),
            either: self.either.saturating_add(other.either),
            barred: self.barred.saturating_add(other.barred),
        }
    }

    /// Whichever way they go.
    pub fn all(self) -> u32 {
        self.sets.saturating_add(self.either)
    }
}

/// What is called together in one place, and what may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// All calls.
    pub calls: Calls,
    /// The smallest that anybody says.
    pub budgets: CallBudgets,
}

impl Together {
    /// Of those that say these.
    pub fn of(all: impl Iterator<Item = (Calls, Option<CallBudgets>)>) -> Self {
        all.map(|(calls, said)| Self { calls, budgets: said.unwrap_or(DEFAULT) })
            .reduce(|all, one| Self { calls: all.calls.plus(one.calls), budgets: all.budgets.at_most(one.budgets) })
            .unwrap_or(Self { calls: Calls::default(), budgets: DEFAULT })
    }

    /// How many calls are best made as CreateSnapshots: all of them where they fit at once, else so many that both buckets
    /// are through at the same time. And how long all then take from full buckets, with nobody beside.
    pub fn best(&self) -> (u32, Millis) {
        self.best_from(|calls| self.budgets.sets.time_for(calls), |one, calls| one.time_for(calls))
    }

    /// The same from buckets that take so long for so many calls.
    pub(super) fn best_from(
        &self,
        sets_take: impl Fn(u32) -> Millis,
        ones_take: impl Fn(Budget, u32) -> Millis,
    ) -> (u32, Millis) {
        let Calls { sets, either, .. } = self.calls;
        let all = self.calls.all();
        let alone = sets_take(all);
        match self.budgets.one_volume {
            Some(one) if either > 0 && alone > Millis(0) => {
                let takes = |through: u32| sets_take(through).max(ones_take(one, all - through));
                // The time falls and then rises; at most as many looks as there are instances.
                (sets..=all).map(|through| (through, takes(through))).min_by_key(|(_, takes)| *takes)
            }
            _ => None,
        }
        .unwrap_or((all, alone))
    }

    /// What one of them, with these calls, may take of CreateSnapshots and of CreateSnapshot. `None` of the first: all of it; of
    /// the second: it goes without.
    pub fn parts(&self, own: Calls) -> (Option<CallShare>, Option<CallShare>) {
        let (all, (through, _)) = (self.calls, self.best());
        if through == all.all() {
            let calls = own.all();
            return ((calls < through).then_some(CallShare { calls, of: through }), None);
        }
        // Of those that may go either way, each one's go the same ways in the same measure; in parts of `all.either`, so that
        // nothing is rounded.
        let measure = through - all.sets;
        let calls = own.sets.saturating_mul(all.either).saturating_add(own.either.saturating_mul(measure));
        let of = through.saturating_mul(all.either);
        let one_volume = CallShare { calls: own.either, of: all.either };
        ((calls < of).then_some(CallShare { calls, of }), (own.either > 0).then_some(one_volume))
    }
}
