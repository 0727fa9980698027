//! The calls that take a backup's snapshots, one for each instance: EC2 counts them per account and Region (`facts/aws.md`
//! A7), over all planes that work there. An instance with exactly one volume may go through CreateSnapshot as well, which
//! has a bucket of its own; several volumes are one moment only in their one CreateSnapshots.

use super::record::{PlaneRecord, Record};
use crate::{
    evidence::PreparedStore,
    ids::{InstanceId, PlaneId},
    limiter::Budget,
    reason::{Reason, Refusal},
    request::Request,
    time::Millis,
    wire::{CallBudgets, CallShare, Prepared},
};
use std::collections::BTreeMap;

/// What nobody has said otherwise.
const DEFAULT: CallBudgets = CallBudgets { sets: Budget::EC2_CREATE_SNAPSHOTS, one_volume: None };

/// Calls of one plane, or of all planes of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    /// That can only be CreateSnapshots.
    sets: u32,
    /// That may be either.
    either: u32,
    /// Of `sets`: those with one volume, in planes whose role does not allow CreateSnapshot.
    barred: u32,
}

impl Calls {
    fn of(stores: &[PreparedStore], budgets: Option<CallBudgets>) -> Self {
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

    fn plus(self, other: Self) -> Self {
        Self {
            sets: self.sets.saturating_add(other.sets),
            either: self.either.saturating_add(other.either),
            barred: self.barred.saturating_add(other.barred),
        }
    }

    fn all(self) -> u32 {
        self.sets.saturating_add(self.either)
    }
}

/// One account and Region.
#[derive(Clone, Copy, Debug)]
struct Account {
    calls: Calls,
    budgets: CallBudgets,
}

impl Account {
    /// Of these planes; the smallest of what they say counts.
    fn of<'a>(planes: impl Iterator<Item = (&'a [PreparedStore], Option<CallBudgets>)>) -> Self {
        planes
            .map(|(stores, said)| Self { calls: Calls::of(stores, said), budgets: said.unwrap_or(DEFAULT) })
            .reduce(|all, one| Self { calls: all.calls.plus(one.calls), budgets: all.budgets.at_most(one.budgets) })
            .unwrap_or(Self { calls: Calls::default(), budgets: DEFAULT })
    }

    /// How many calls are best made as CreateSnapshots: all of them where they fit at once, else so many that both buckets
    /// are through at the same time. And how long all then take from full buckets, with nobody beside.
    fn best(&self) -> (u32, Millis) {
        let Calls { sets, either, .. } = self.calls;
        let all = self.calls.all();
        let alone = self.budgets.sets.time_for(all);
        match self.budgets.one_volume {
            Some(one) if either > 0 && alone > Millis(0) => {
                let takes = |through: u32| self.budgets.sets.time_for(through).max(one.time_for(all - through));
                // The time falls and then rises; at most as many looks as there are instances.
                (sets..=all).map(|through| (through, takes(through))).min_by_key(|(_, takes)| *takes)
            }
            _ => None,
        }
        .unwrap_or((all, alone))
    }
}

/// What a plane may take of its account's CreateSnapshots and CreateSnapshot, by its part of the calls. `None` of the first:
/// no other plane works there; of the second: it goes without.
pub(super) fn shares(record: &Record, plane: &PlaneId) -> (Option<CallShare>, Option<CallShare>) {
    let Some(own) = record.planes.get(plane) else { return (None, None) };
    let together = |other: &&PlaneRecord| (&other.account, &other.region) == (&own.account, &own.region);
    let planes = record.planes.values().filter(together);
    let account = Account::of(planes.map(|plane| (plane.stores.as_slice(), plane.budgets)));
    let (Calls { sets, either, .. }, (through, _)) = (Calls::of(&own.stores, own.budgets), account.best());
    let all = account.calls;
    if through == all.all() {
        let calls = sets.saturating_add(either);
        return ((calls < through).then_some(CallShare { calls, of: through }), None);
    }
    // Of those that may go either way, each plane's go the same ways in the same measure; in parts of `all.either`, so that
    // nothing is rounded.
    let measure = through - all.sets;
    let calls = sets.saturating_mul(all.either).saturating_add(either.saturating_mul(measure));
    let of = through.saturating_mul(all.either);
    let one_volume = CallShare { calls: either, of: all.either };
    ((calls < of).then_some(CallShare { calls, of }), (either > 0).then_some(one_volume))
}

/// What a plane may take of its account's DeleteSnapshot, by its part of the volumes of those planes that have to delete there
/// and are `here`. `None`: no other has to, or nothing is known of where it works.
pub(super) fn deletions(record: &Record, plane: &PlaneId, here: impl Fn(&PlaneId) -> bool) -> Option<CallShare> {
    let own = record.planes.get(plane).filter(|own| !own.account.is_empty())?;
    let volumes = |kept: &PlaneRecord| {
        let all: usize = kept.stores.iter().map(|store| store.volumes.len()).sum();
        u32::try_from(all).unwrap_or(u32::MAX).max(1)
    };
    let beside = record.planes.iter().filter(|(other, kept)| {
        let owes = kept.cleaned.is_none() && !kept.abandoned && here(other);
        *other != plane && owes && (&kept.account, &kept.region) == (&own.account, &own.region)
    });
    let calls = volumes(own);
    let of = beside.map(|(_, kept)| volumes(kept)).fold(calls, u32::saturating_add);
    (calls < of).then_some(CallShare { calls, of })
}

/// All calls must fit into the hold, from full buckets and with nobody beside: what cannot is refused before anything is
/// held.
pub(super) fn check_hold(request: &Request, prepared: &BTreeMap<PlaneId, Prepared>) -> Result<(), Refusal> {
    let mut accounts: BTreeMap<(&str, &str), Vec<&Prepared>> = BTreeMap::new();
    for answer in prepared.values() {
        accounts.entry((&answer.account, &answer.region)).or_default().push(answer);
    }
    for ((account, region), planes) in accounts {
        let here = Account::of(planes.into_iter().map(|answer| (answer.stores.as_slice(), answer.budgets)));
        let (through, needs) = here.best();
        if needs >= request.limits.hold {
            let text = too_long(account, region, &here, through, needs, request.limits.hold);
            return Err(Refusal::new(Reason::HoldTooShort, text));
        }
    }
    Ok(())
}

fn too_long(account: &str, region: &str, here: &Account, through: u32, needs: Millis, hold: Millis) -> String {
    let Calls { barred, .. } = here.calls;
    let all = here.calls.all();
    let pace =
        |budget: Budget| format!("{} at once, then {} a second", budget.burst_milli / 1000, budget.rate_milli / 1000);
    let mut text = format!(
        "{all} instances in account {account}, region {region}, are {through} CreateSnapshots calls ({})",
        pace(here.budgets.sets)
    );
    if let Some(one) = here.budgets.one_volume.filter(|_| through < all) {
        text += &format!(" and {} CreateSnapshot calls ({})", all - through, pace(one));
    }
    text += &format!(", which EC2 takes in {needs} at best; spec.barrier.holdTimeout is {hold}");
    if barred > 0 {
        text += &format!(
            ". {barred} of these instances have one volume and could go through CreateSnapshot as well, which is counted \
             apart, if the planes' roles allowed ec2:CreateSnapshot"
        );
    }
    text
}
