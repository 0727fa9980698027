//! A barrier that lost its record starts again from the ledger, while everything else goes on.

use super::{AGAIN, AsyncContext, CoordinatorActor};
use crate::{
    actors::store::Stored,
    ports::{Entry, Ledger, LedgerKey, PortError},
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Barrier, Claim, Record},
    ids::BackupUid,
};
use std::sync::Arc;

/// What the ledger says of one backup.
struct Found {
    record: Record,
    entry: Entry,
    /// The claim of its TiDB cluster, if there is one.
    claim: Option<Entry>,
}

impl CoordinatorActor {
    /// Reads the record and its claim, and nothing else: what other backups do meanwhile would be older in a list of the
    /// whole ledger than what this process knows, and their claims would be taken from them.
    pub(super) fn start_again(&mut self, backup: BackupUid, ctx: &mut Context<Self>) {
        self.again.insert(backup.clone());
        let reading = read(self.ports.ledger.clone(), backup.clone());
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| match read {
            Ok(Some(found)) => actor.found_again(backup, found, ctx),
            // It never was saved: nothing was touched. The resync starts it again.
            Ok(None) => {
                actor.again.remove(&backup);
                actor.views.remove(&backup);
            }
            Err(error) => {
                tracing::warn!(%error, %backup, "record cannot be read; trying again");
                actor.start_again(backup, ctx);
            }
        }));
    }

    /// Another process may have written both. The claim comes first, so that the barrier can give it back; its wishes
    /// come last, because nobody was there to hear them.
    fn found_again(&mut self, backup: BackupUid, found: Found, ctx: &mut Context<Self>) {
        self.again.remove(&backup);
        let Found { record, entry, claim } = found;
        self.views.insert(backup.clone(), Barrier::new(record.clone()).view(self.clock.now()));
        let cluster = record.cluster;
        if let Some((cluster, entry)) = cluster.zip(claim).filter(|(cluster, _)| !self.claims.busy(*cluster)) {
            match Stored::<Claim>::parse(&entry.body) {
                Ok(stored) => self.claims.found(stored.body, entry.version, "another process".to_owned()),
                Err(error) => tracing::error!(%cluster, error, "claim cannot be read"),
            }
        }
        self.start_barrier(record, Some(entry.version), ctx);
        if let Some(cluster) = cluster {
            self.end_claims_of_nobody(cluster, ctx);
            if !self.claims.live().any(|(claim, _)| claim.cluster == cluster) {
                self.claim_free(cluster);
            }
        }
        match self.objects.get(&backup).cloned() {
            Some(object) => self.consider(object, ctx),
            None => self.end_orphans(),
        }
    }
}

async fn read(ledger: Arc<dyn Ledger>, backup: BackupUid) -> Result<Option<Found>, PortError> {
    tokio::time::sleep(AGAIN).await;
    let Some(entry) = ledger.read(&LedgerKey::Record(backup.clone())).await? else { return Ok(None) };
    let record = match Stored::<Record>::parse(&entry.body) {
        Ok(stored) => stored.body,
        Err(error) => return Err(PortError::Unavailable(format!("record of {backup}: {error}"))),
    };
    let claim = match record.cluster {
        Some(cluster) => ledger.read(&LedgerKey::Claim(cluster)).await?,
        None => None,
    };
    Ok(Some(Found { record, entry, claim }))
}
