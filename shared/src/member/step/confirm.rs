//! The confirmation and the evidence: what a plane has to have seen before it says `Confirmed`.

use super::snapshot::check_snapshots;
use crate::{
    epoch::Epoch,
    evidence::{Evidence, PdEvidence, PreparedStore},
    ids::{InstanceId, StoreId, VolumeId},
    member::{
        effect::{Step, Work},
        input::ReadBack,
        ledger::AttemptState,
        machine::Member,
        phase::Phase,
    },
    reason::{Reason, Refusal},
    wire::{Answer, Confirmed, Order},
};
use std::collections::BTreeMap;

impl Member {
    /// One more renewal on every store, asked for after `Confirm` arrived. One that is under way does not count.
    pub(in crate::member) fn confirm(&mut self, epoch: Epoch, step: &mut Step) {
        if !self.takes(Phase::Snapshotted, epoch, Order::Confirm, step) {
            return;
        }
        self.phase = Phase::Confirming;
        self.holds.confirm();
        self.renew_stores(None, step);
        self.read_if_confirmed(step);
    }

    /// Its numbers are frozen here: later renewals may be on their way when the evidence is saved.
    pub(in crate::member) fn store_confirmed(&mut self, store: StoreId, step: &mut Step) {
        let known = self.ready.as_ref().and_then(|r| r.prepared.stores.iter().find(|known| known.store == store));
        if let Some(known) = known {
            self.holds.freeze(known);
        }
        self.read_if_confirmed(step);
    }

    fn read_if_confirmed(&mut self, step: &mut Step) {
        if self.phase == Phase::Confirming && self.holds.all_confirmed() {
            self.phase = Phase::ReadingBack;
            self.begin(Work::ReadBack { gc_hold: self.pd.gc_hold().unwrap_or_default() }, step);
        }
    }

    pub(super) fn read_back(&mut self, seen: ReadBack, step: &mut Step) {
        match self.prove(seen) {
            Err(refusal) => self.abort_locally(refusal, step),
            Ok(evidence) => {
                self.phase = Phase::Confirmed;
                self.evidence = Some(evidence.clone());
                self.save(AttemptState::Confirmed(evidence.clone()), step);
                self.answer(Answer::Confirmed(Confirmed { evidence }), step);
            }
        }
    }

    fn prove(&self, seen: ReadBack) -> Result<Evidence, Refusal> {
        let missing = |what: &str| Refusal::new(Reason::Internal, format!("{what} is not known at the confirmation"));
        let ready = self.ready.as_ref().ok_or_else(|| missing("what was prepared"))?;
        let commit_ts = self.commit_ts.ok_or_else(|| missing("commitTs"))?;
        let cover = self.cover.clone().ok_or_else(|| missing("the cover"))?;
        let prepared = &ready.prepared.stores;
        check_stores(prepared, &seen)?;
        check_attached(prepared, &seen.attached)?;
        check_snapshots(prepared, &self.snapshots)?;
        let stores = self.holds.evidence();
        if stores.len() != prepared.len() || stores.iter().any(|store| store.renewals_sent != store.renewals_valid) {
            return Err(Refusal::new(Reason::StoreHoldLost, "not every store was held to the confirmation"));
        }
        let pd = match (ready.spec.init, seen.pd) {
            (true, Some(pd)) => Some(check_gc(pd, commit_ts)?),
            (true, None) => return Err(missing("PD's GC safe point")),
            (false, _) => None,
        };
        if stores.iter().any(|store| !store.kind.is_full()) && seen.set.is_none() {
            return Err(missing("the set of regions"));
        }
        let (snapshots, set_after) = (self.snapshots.clone(), seen.set);
        let (epoch, cluster) = (self.epoch, ready.prepared.cluster);
        Ok(Evidence { epoch, cluster, stores, cover, snapshots, commit_ts, pd, set_after })
    }
}

/// E1: the same process at the same address.
fn check_stores(prepared: &[PreparedStore], seen: &ReadBack) -> Result<(), Refusal> {
    for store in prepared {
        let text = match seen.stores.iter().find(|now| now.store == store.store) {
            None => format!("store {} is no longer listed by PD", store.store),
            Some(now) if now.address != store.address => {
                format!("store {} moved from {} to {}", store.store, store.address, now.address)
            }
            Some(now) if now.start_timestamp != store.start_timestamp => {
                let (store, before, after) = (store.store, store.start_timestamp, now.start_timestamp);
                format!("store {store} restarted: start timestamp {before} became {after}")
            }
            Some(_) => continue,
        };
        return Err(Refusal::new(Reason::StoresChanged, text));
    }
    Ok(())
}

fn check_attached(
    prepared: &[PreparedStore],
    attached: &BTreeMap<VolumeId, Option<InstanceId>>,
) -> Result<(), Refusal> {
    for store in prepared {
        for volume in store.volumes.iter().map(|volume| &volume.volume) {
            let now = attached.get(volume).and_then(Option::as_ref);
            if now != Some(&store.instance) {
                let at = now.map_or("nothing", InstanceId::as_str);
                let text = format!(
                    "volume {volume} of store {} is attached to {at} instead of {}",
                    store.store, store.instance
                );
                return Err(Refusal::new(Reason::VolumeMoved, text));
            }
        }
    }
    Ok(())
}

/// E5: everything that a restore to commitTs needs is still there.
fn check_gc(pd: PdEvidence, commit_ts: crate::ts::Ts) -> Result<PdEvidence, Refusal> {
    if pd.gc_safe_point >= commit_ts {
        let text = format!("GC safe point {} has reached commitTs {commit_ts}", pd.gc_safe_point);
        return Err(Refusal::new(Reason::GcPassed, text));
    }
    Ok(pd)
}

#[cfg(test)]
mod tests;
