//! A barrier that lost its record starts again from the ledger, while everything else goes on.

use super::{AGAIN, AsyncContext, CoordinatorActor};
use crate::{
    actors::store::Stored,
    ports::{Ledger, LedgerKey, PortError, Version},
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Barrier, Record},
    ids::{BackupUid, ClusterId},
};
use std::{collections::BTreeSet, sync::Arc};

impl CoordinatorActor {
    /// Reads the record, and nothing else: what other backups do meanwhile would be older in a list of the whole ledger
    /// than what this process knows.
    pub(super) fn start_again(&mut self, backup: BackupUid, ctx: &mut Context<Self>) {
        self.again.insert(backup.clone());
        let reading = read(self.ports.ledger.clone(), backup.clone());
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| match read {
            Ok(Some((record, version))) => actor.found_again(backup, record, version, ctx),
            // It never was saved: nothing was touched. The resync starts it again.
            Ok(None) => {
                actor.again.remove(&backup);
                actor.views.remove(&backup);
                actor.doubt_claims(&backup, None, ctx);
            }
            Err(error) => {
                tracing::warn!(%error, %backup, "record cannot be read; trying again");
                actor.start_again(backup, ctx);
            }
        }));
    }

    /// Another process may have written it, and its claim. Its wishes come last, because nobody was there to hear them.
    fn found_again(&mut self, backup: BackupUid, record: Record, version: Version, ctx: &mut Context<Self>) {
        self.again.remove(&backup);
        self.views.insert(backup.clone(), Barrier::new(record.clone()).view(self.clock.now()));
        let cluster = record.cluster;
        self.start_barrier(record, Some(version), ctx);
        self.doubt_claims(&backup, cluster, ctx);
        match self.objects.get(&backup).cloned() {
            Some(object) => self.consider(object, ctx),
            None => self.end_orphans(),
        }
    }

    /// The claim that the record names, and every claim that this process granted to the backup: the record may never
    /// have come to name it.
    fn doubt_claims(&mut self, backup: &BackupUid, named: Option<ClusterId>, ctx: &mut Context<Self>) {
        let held = self.claims.live().filter(|(_, live)| &live.backup == backup).map(|(claim, _)| claim.cluster);
        let all: BTreeSet<ClusterId> = held.chain(named).collect();
        for cluster in all {
            self.doubt_claim(cluster, ctx);
        }
    }
}

async fn read(ledger: Arc<dyn Ledger>, backup: BackupUid) -> Result<Option<(Record, Version)>, PortError> {
    tokio::time::sleep(AGAIN).await;
    let Some(entry) = ledger.read(&LedgerKey::Record(backup.clone())).await? else { return Ok(None) };
    match Stored::<Record>::parse(&entry.body) {
        Ok(stored) => Ok(Some((stored.body, entry.version))),
        Err(error) => Err(PortError::Unavailable(format!("record of {backup}: {error}"))),
    }
}
