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
    wire::{CallShare, Prepared},
};
use std::collections::BTreeMap;

/// What a plane may take of its account's CreateSnapshots and CreateSnapshot, by its part of the calls. `None` of the first:
/// no other plane works there; of the second: it goes without.
pub(super) fn shares(record: &Record, plane: &PlaneId) -> (Option<CallShare>, Option<CallShare>) {
    let Some(own) = record.planes.get(plane) else { return (None, None) };
    let together = |other: &&PlaneRecord| (&other.account, &other.region) == (&own.account, &own.region);
    let calls = |plane: &PlaneRecord| (Calls::of(&plane.stores, plane.budgets), plane.budgets);
    Together::of(record.planes.values().filter(together).map(calls)).parts(calls(own).0)
}

impl PlaneRecord {
    fn place(&self) -> Place {
        Place { account: self.account.clone(), region: self.region.clone() }
    }

    /// At least one: where nothing is known, something may have to go.
    fn volumes(&self) -> u32 {
        let all: usize = self.stores.iter().map(|store| store.volumes.len()).sum();
        u32::try_from(all).unwrap_or(u32::MAX).max(1)
    }
}

impl Record {
    /// The calls that take its snapshots, once its planes are prepared.
    pub fn demand(&self) -> Demand {
        let takes = |kept: &PlaneRecord| Takes {
            place: kept.place(),
            calls: Calls::of(&kept.stores, kept.budgets),
            budgets: kept.budgets,
        };
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
            let deletes = cleans && kept.cleaned.is_none() && !kept.abandoned;
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

/// What a plane may take of its account's DeleteSnapshot, by its part of the volumes of those planes that have to delete there
/// and are `here`. `None`: no other has to, or nothing is known of where it works.
pub(super) fn deletions(record: &Record, plane: &PlaneId, here: impl Fn(&PlaneId) -> bool) -> Option<CallShare> {
    let own = record.planes.get(plane).filter(|own| !own.account.is_empty())?;
    let beside = record.planes.iter().filter(|(other, kept)| {
        let owes = kept.cleaned.is_none() && !kept.abandoned && here(other);
        *other != plane && owes && (&kept.account, &kept.region) == (&own.account, &own.region)
    });
    let calls = own.volumes();
    let of = beside.map(|(_, kept)| kept.volumes()).fold(calls, u32::saturating_add);
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
