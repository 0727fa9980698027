//! Claims: the durable right to run an attempt on one TiDB cluster. One live attempt per TiDB cluster (I7); the
//! compare-and-set of the claim is its fence (I1). Only the coordinator actor writes them, one save at a time per claim.

use super::store::{Slot, Writer};
use crate::ports::{Ledger, LedgerKey, Version};
use shared::{
    barrier::{Claim, ClaimHolder},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    reason::{Reason, Refusal},
};
use std::{collections::BTreeMap, sync::Arc};

/// A wish for a claim.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) backup: BackupUid,
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) floor: Epoch,
}

/// One claim as this process knows it.
pub(super) struct Held {
    pub(super) claim: Claim,
    /// Name of the holder, for people who wait.
    pub(super) holder: String,
    /// `None` while a save is under way, or while the ledger is asked what is stored.
    slot: Option<Slot>,
}

impl Held {
    fn free(cluster: ClusterId, slot: Slot) -> Self {
        let claim = Claim { cluster, epoch: Epoch::NONE, live: None };
        Self { claim, holder: String::new(), slot: Some(slot) }
    }
}

/// Every claim.
pub(super) struct Claims {
    ledger: Arc<dyn Ledger>,
    writer: Writer,
    all: BTreeMap<ClusterId, Held>,
}

/// What to do with a wish.
pub(super) enum Verdict {
    /// Store this; then tell.
    Save(Box<Saving>),
    /// Somebody else holds it, or a save is under way.
    Taken(String),
    /// It cannot be granted, now or later.
    Refused(Refusal),
}

/// How far a plane's word may lie above the claim. Epochs grow by one an attempt; a claim that was lost with its ledger
/// is behind by the attempts of its life, at one a minute by half a million a year.
const LEAP: u64 = 1 << 20;

/// The epoch to grant. What it grows by is never forgotten, so one word of a plane must not use up all there are.
fn above(claim: Epoch, floor: Epoch) -> Result<Epoch, Refusal> {
    let refuse = |text: String| Refusal::new(Reason::EpochImplausible, text);
    if floor.0 > claim.0.saturating_add(LEAP) {
        return Err(refuse(format!("a plane has obeyed epoch {floor}, the claim is at {claim}")));
    }
    Epoch::above([claim, floor]).ok_or_else(|| refuse(format!("no epoch is above {claim}: all are used up")))
}

/// A save that is to be carried out, and then handed back.
pub(super) struct Saving {
    pub(super) cluster: ClusterId,
    pub(super) claim: Claim,
    slot: Slot,
}

impl Saving {
    pub(super) async fn run(mut self) -> (Self, Result<(), shell::driver::FenceError>) {
        let outcome = match tokio::time::timeout(shell::driver::FENCE_LIMIT, self.slot.save(&self.claim)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(shell::driver::FenceError::TimedOut),
        };
        (self, outcome)
    }
}

impl Claims {
    pub(super) fn new(ledger: Arc<dyn Ledger>, writer: Writer) -> Self {
        Self { ledger, writer, all: BTreeMap::new() }
    }

    fn slot(&self, cluster: ClusterId, version: Option<Version>) -> Slot {
        Slot::new(self.ledger.clone(), LedgerKey::Claim(cluster), &self.writer, version)
    }

    /// What this process knows of the claim is no longer to be relied on: until it is `found` or `absent` it is busy.
    /// False: it is busy already, and whoever made it so will see to it.
    pub(super) fn doubt(&mut self, cluster: ClusterId) -> bool {
        let fresh = self.slot(cluster, None);
        let held = self.all.entry(cluster).or_insert_with(|| Held::free(cluster, fresh));
        held.slot.take().is_some()
    }

    /// The ledger has no such claim.
    pub(super) fn absent(&mut self, cluster: ClusterId) {
        let fresh = self.slot(cluster, None);
        self.all.insert(cluster, Held::free(cluster, fresh));
    }

    /// A claim found in the ledger.
    pub(super) fn found(&mut self, claim: Claim, version: Version, holder: String) {
        let slot = self.slot(claim.cluster, Some(version));
        self.all.insert(claim.cluster, Held { claim, holder, slot: Some(slot) });
    }

    /// Claims that are held, for the console and for ending leftovers at start.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Claim, &ClaimHolder)> {
        self.all.values().filter_map(|held| held.claim.live.as_ref().map(|holder| (&held.claim, holder)))
    }

    /// TiDB clusters whose claim this process has heard of.
    pub(super) fn clusters(&self) -> Vec<ClusterId> {
        self.all.keys().copied().collect()
    }

    /// Grants a wish if nobody else holds the claim.
    pub(super) fn want(&mut self, cluster: ClusterId, wish: &Wish) -> Verdict {
        let fresh = self.slot(cluster, None);
        let held = self.all.entry(cluster).or_insert_with(|| Held::free(cluster, fresh));
        if held.claim.live.as_ref().is_some_and(|live| live.backup != wish.backup) {
            return Verdict::Taken(held.holder.clone());
        }
        let epoch = match above(held.claim.epoch, wish.floor) {
            Ok(epoch) => epoch,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        let Some(slot) = held.slot.take() else {
            return Verdict::Taken("another request for it".to_owned());
        };
        held.holder.clone_from(&wish.name);
        let live = Some(ClaimHolder { backup: wish.backup.clone(), attempt: wish.attempt });
        Verdict::Save(Box::new(Saving { cluster, claim: Claim { cluster, epoch, live }, slot }))
    }

    /// Ends a claim if this backup holds it. The epoch stays: it must grow.
    pub(super) fn give(&mut self, cluster: ClusterId, backup: &BackupUid) -> Option<Box<Saving>> {
        let held = self.all.get_mut(&cluster)?;
        if held.claim.live.as_ref().is_none_or(|live| &live.backup != backup) {
            return None;
        }
        let slot = held.slot.take()?;
        Some(Box::new(Saving { cluster, claim: Claim { live: None, ..held.claim.clone() }, slot }))
    }

    /// A save is under way for this claim, or the ledger is being asked.
    pub(super) fn busy(&self, cluster: ClusterId) -> bool {
        self.all.get(&cluster).is_some_and(|held| held.slot.is_none())
    }

    /// A save came home well. After any other end nobody knows what is stored: the claim stays busy until the caller has
    /// read it.
    pub(super) fn saved(&mut self, saving: Saving) {
        if let Some(held) = self.all.get_mut(&saving.cluster) {
            held.claim = saving.claim;
            held.slot = Some(saving.slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_plane_raises_the_epoch_but_never_uses_it_up() {
        assert_eq!(above(Epoch(7), Epoch(3)), Ok(Epoch(8)));
        assert_eq!(above(Epoch(7), Epoch(9)), Ok(Epoch(10)));
        assert_eq!(above(Epoch::NONE, Epoch(LEAP)), Ok(Epoch(LEAP + 1)), "a claim may have been lost");
        for (claim, floor) in [(7, 8 + LEAP), (0, u64::MAX - 1), (0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
            let refused = above(Epoch(claim), Epoch(floor)).map_err(|refusal| refusal.reason);
            assert_eq!(refused, Err(Reason::EpochImplausible), "{claim}, {floor}");
        }
    }
}
