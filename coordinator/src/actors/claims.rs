//! Claims as ledger objects: what the arbiter (`shared::claims`) wants stored and read. Only the coordinator actor writes
//! them, one save at a time per claim.

use super::store::{self, Slot, Stored, Writer};
use crate::ports::{Ledger, LedgerKey, PortError, Version};
use shared::{
    barrier::{Claim, Record},
    claims::{HolderRecord, Standing},
    ids::{BackupUid, ClusterId, RestoreUid},
    restoring,
};
use shell::driver::{FENCE_LIMIT, FenceError};
use std::{collections::BTreeMap, sync::Arc};

/// Under which version each claim was last seen.
pub(super) struct ClaimStore {
    ledger: Arc<dyn Ledger>,
    writer: Writer,
    slots: BTreeMap<ClusterId, Slot>,
}

impl ClaimStore {
    pub(super) fn new(ledger: Arc<dyn Ledger>, writer: Writer) -> Self {
        Self { ledger, writer, slots: BTreeMap::new() }
    }

    /// It was seen under this version; `None`: there is none.
    pub(super) fn seen(&mut self, cluster: ClusterId, version: Option<Version>) {
        let slot = self.slot(cluster, version);
        self.slots.insert(cluster, slot);
    }

    fn slot(&self, cluster: ClusterId, version: Option<Version>) -> Slot {
        Slot::new(self.ledger.clone(), LedgerKey::Claim(cluster), &self.writer, version)
    }

    /// A save in the place of what was last seen. Its slot comes back with [`ClaimStore::saved`]; after any other end
    /// nobody knows what is stored, and the claim is read before it is saved again.
    pub(super) fn save(&mut self, claim: Claim) -> impl Future<Output = Result<Slot, FenceError>> + use<> {
        let slot = self.slots.remove(&claim.cluster);
        let mut slot = slot.unwrap_or_else(|| self.slot(claim.cluster, None));
        async move {
            match tokio::time::timeout(FENCE_LIMIT, slot.save(&Arc::new(claim))).await {
                Ok(outcome) => outcome.map(|()| slot),
                Err(_) => Err(FenceError::TimedOut),
            }
        }
    }

    pub(super) fn saved(&mut self, cluster: ClusterId, slot: Slot) {
        self.slots.insert(cluster, slot);
    }
}

/// One claim, with its version.
pub(super) async fn read(ledger: Arc<dyn Ledger>, cluster: ClusterId) -> Result<Option<(Claim, Version)>, PortError> {
    let stored = store::read::<Claim>(ledger.as_ref(), &LedgerKey::Claim(cluster)).await?;
    Ok(stored.map(|(stored, version)| (stored.body, version)))
}

/// Every claim that somebody holds.
pub(super) async fn list(ledger: Arc<dyn Ledger>) -> Result<Vec<(ClusterId, BackupUid)>, PortError> {
    let entries = ledger.claims().await?;
    let claims = entries.iter().filter_map(|entry| Stored::<Claim>::parse(&entry.body).ok());
    Ok(claims.filter_map(|stored| Some((stored.body.cluster, stored.body.live?.backup))).collect())
}

/// What the record of a claim's holder says.
pub(super) async fn holder(ledger: Arc<dyn Ledger>, backup: BackupUid, we: &Writer) -> HolderRecord {
    match ledger.read(&LedgerKey::Record(backup.clone())).await {
        Ok(None) => restoring_holder(ledger.as_ref(), backup, we).await,
        Ok(Some(entry)) => match Stored::<Record>::parse(&entry.body) {
            Ok(stored) => {
                let standing = Standing::of(&stored.body);
                HolderRecord::Read { standing, ours: stored.writer.is_of(we) }
            }
            Err(error) => {
                tracing::error!(%backup, error, "record of a claim's holder cannot be read; the claim is left alone");
                HolderRecord::Unreadable
            }
        },
        Err(error) => {
            tracing::warn!(%error, %backup, "record of a claim's holder cannot be read; trying again");
            HolderRecord::NotRead
        }
    }
}

/// The same of a holder that is no backup: of a restore, or gone.
async fn restoring_holder(ledger: &dyn Ledger, holder: BackupUid, we: &Writer) -> HolderRecord {
    let key = LedgerKey::Restore(RestoreUid::new(holder.as_str()));
    match ledger.read(&key).await {
        Ok(None) => HolderRecord::Absent,
        Ok(Some(entry)) => match Stored::<restoring::Record>::parse(&entry.body) {
            Ok(stored) => {
                let (record, ours) = (stored.body, stored.writer.is_of(we));
                let standing = Standing { under_way: record.is_under_way(), may_hold: record.may_hold() };
                HolderRecord::Read { standing, ours }
            }
            Err(error) => {
                tracing::error!(restore = %holder, error, "record of a claim's holder cannot be read; the claim is left alone");
                HolderRecord::Unreadable
            }
        },
        Err(error) => {
            tracing::warn!(%error, restore = %holder, "record of a claim's holder cannot be read; trying again");
            HolderRecord::NotRead
        }
    }
}
