//! The calls of a backup, as its record and its planes' answers have them: one for each instance that is snapshotted, one for each
//! snapshot that is deleted.

use super::record::{Milestone, PlaneRecord, Record};
use crate::{
    account::{Calls, Demand, Owed, Place, Takes, Together},
    ids::PlaneId,
    limiter::Budget,
    reason::{Reason, Refusal},
    request::Request,
    time::Millis,
    wire::{CallBudgets, Prepared},
};
use std::collections::BTreeMap;

/// What its planes take of CreateSnapshots and CreateSnapshot, in each place where they work.
pub(super) fn taken(record: &Record) -> BTreeMap<Place, Together> {
    let mut calls: BTreeMap<Place, Vec<(Calls, Option<CallBudgets>)>> = BTreeMap::new();
    for plane in record.planes.values() {
        calls.entry(plane.place()).or_default().push((plane.calls(), plane.budgets));
    }
    calls.into_iter().map(|(place, calls)| (place, Together::of(calls.into_iter()))).collect()
}

/// How many snapshots those planes have to delete that are `here`.
pub(super) fn deleted(record: &Record, here: impl Fn(&PlaneId) -> bool) -> BTreeMap<Place, u32> {
    let deletes = record.planes.iter().filter(|(plane, kept)| kept.owes_deletions() && here(plane));
    sums(deletes.map(|(_, kept)| (kept, kept.volumes())))
}

/// How many snapshots are measured.
pub(super) fn listed(record: &Record) -> BTreeMap<Place, u32> {
    let measured = record.planes.iter().filter(|(_, kept)| kept.increments.is_some());
    sums(measured.map(|(plane, kept)| (kept, record.certified_of(plane))))
}

fn sums<'a>(calls: impl Iterator<Item = (&'a PlaneRecord, u32)>) -> BTreeMap<Place, u32> {
    let mut sums: BTreeMap<Place, u32> = BTreeMap::new();
    for (plane, calls) in calls {
        let sum = sums.entry(plane.place()).or_default();
        *sum = sum.saturating_add(calls);
    }
    sums
}

impl PlaneRecord {
    /// Where its calls count.
    pub(super) fn place(&self) -> Place {
        Place { account: self.account.clone(), region: self.region.clone() }
    }

    /// The calls that take its snapshots.
    pub(super) fn calls(&self) -> Calls {
        Calls::of(&self.stores, self.budgets)
    }

    /// At least one: where nothing is known, something may have to go.
    pub(super) fn volumes(&self) -> u32 {
        let all: usize = self.stores.iter().map(|store| store.volumes.len()).sum();
        u32::try_from(all).unwrap_or(u32::MAX).max(1)
    }

    /// When something has to go: it has not said that everything is gone.
    pub(super) fn owes_deletions(&self) -> bool {
        self.cleaned.is_none() && !self.abandoned
    }
}

impl Record {
    /// The calls that take its snapshots, once its planes are prepared.
    pub fn demand(&self) -> Demand {
        let takes = |kept: &PlaneRecord| Takes { place: kept.place(), calls: kept.calls(), budgets: kept.budgets };
        Demand {
            name: format!("{}/{}", self.request.namespace, self.request.name),
            planes: self.planes.iter().map(|(plane, kept)| (plane.clone(), takes(kept))).collect(),
            hold: self.request.limits.hold,
        }
    }

    /// What its planes have still to delete, and to list: all of what each began with, so that parts change only when one has ended.
    pub fn owed(&self) -> Vec<Owed> {
        if !matches!(self.milestone, Milestone::Failed | Milestone::Cleaning | Milestone::Complete) {
            return Vec::new();
        }
        let cleans = matches!(self.milestone, Milestone::Failed | Milestone::Cleaning);
        let owed = self.planes.iter().filter(|(_, kept)| !kept.account.is_empty()).map(|(plane, kept)| {
            let deletes = cleans && kept.owes_deletions();
            Owed {
                plane: plane.clone(),
                place: kept.place(),
                deletions: if deletes { kept.volumes() } else { 0 },
                listings: if self.measures_in(plane) { self.certified_of(plane) } else { 0 },
            }
        });
        owed.filter(|owed| owed.deletions > 0 || owed.listings > 0).collect()
    }
}

/// All calls must fit into the hold, from full buckets and with nobody beside: what cannot is refused before anything is
/// held.
pub(super) fn check_hold(request: &Request, prepared: &BTreeMap<PlaneId, Prepared>) -> Result<(), Refusal> {
    let mut accounts: BTreeMap<(&str, &str), Vec<&Prepared>> = BTreeMap::new();
    for answer in prepared.values() {
        accounts.entry((&answer.account, &answer.region)).or_default().push(answer);
    }
    for ((account, region), planes) in accounts {
        let here = Together::of(planes.iter().map(|said| (Calls::of(&said.stores, said.budgets), said.budgets)));
        let (through, needs) = here.best();
        if needs >= request.limits.hold {
            let text = too_long(account, region, &here, through, needs, request.limits.hold);
            return Err(Refusal::new(Reason::HoldTooShort, text));
        }
    }
    Ok(())
}

fn too_long(account: &str, region: &str, here: &Together, through: u32, needs: Millis, hold: Millis) -> String {
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
