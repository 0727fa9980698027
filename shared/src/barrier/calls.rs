//! CreateSnapshots calls of a backup, one for each instance: EC2 counts them per account and Region (`facts/aws.md` A7),
//! over all planes that work there.

use super::record::{PlaneRecord, Record};
use crate::{
    evidence::PreparedStore,
    ids::{InstanceId, PlaneId},
    limiter::Budget,
    reason::{Reason, Refusal},
    request::Request,
    wire::{CallShare, Prepared},
};
use std::collections::{BTreeMap, BTreeSet};

/// Of stores of one plane.
fn calls_of(stores: &[PreparedStore]) -> u32 {
    let instances: BTreeSet<&InstanceId> = stores.iter().map(|store| &store.instance).collect();
    u32::try_from(instances.len()).unwrap_or(u32::MAX)
}

/// What a plane may take of its account's budget, by its part of the calls; `None`: no other plane works there.
pub(super) fn share(record: &Record, plane: &PlaneId) -> Option<CallShare> {
    let own = record.planes.get(plane)?;
    let together = |other: &&PlaneRecord| (&other.account, &other.region) == (&own.account, &own.region);
    let all = record.planes.values().filter(together).map(|plane| calls_of(&plane.stores));
    let (calls, of) = (calls_of(&own.stores), all.fold(0, u32::saturating_add));
    (of > calls).then_some(CallShare { calls, of })
}

/// All calls must fit into the hold, from a full bucket and with nobody beside: what cannot is refused before anything is
/// held.
pub(super) fn check_hold(request: &Request, prepared: &BTreeMap<PlaneId, Prepared>) -> Result<(), Refusal> {
    let mut accounts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for answer in prepared.values() {
        let calls = accounts.entry((&answer.account, &answer.region)).or_default();
        *calls = calls.saturating_add(calls_of(&answer.stores));
    }
    let budget = Budget::EC2_CREATE_SNAPSHOTS;
    for ((account, region), calls) in accounts {
        let needs = budget.time_for(calls);
        if needs >= request.limits.hold {
            let text = format!(
                "{calls} instances in account {account}, region {region}, are {calls} CreateSnapshots calls, which EC2 \
                 takes in {needs} at best ({} at once, then {} a second); spec.barrier.holdTimeout is {}",
                budget.burst_milli / 1000,
                budget.rate_milli / 1000,
                request.limits.hold,
            );
            return Err(Refusal::new(Reason::HoldTooShort, text));
        }
    }
    Ok(())
}
