//! A barrier that lost its record, or had none, starts again from the ledger, while everything else goes on.

use super::{AGAIN, AsyncContext, CoordinatorActor, reading::Cause};
use crate::{
    actors::{
        messages::ToBarrier,
        store::{self, Stored},
    },
    ports::{Ledger, LedgerKey, PortError, Version},
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Barrier, Record},
    claims::{self, Standing},
    ids::BackupUid,
};
use shell::driver::Performer;
use std::{sync::Arc, time::Duration};

/// A record under way that another process wrote is taken over once it has stood still for so long. One of the two was
/// deposed: a Lease lives 15 s, so by then it knows. Whoever took it over at once would abort what the other has begun.
const STILL: Duration = Duration::from_secs(16);

impl CoordinatorActor {
    /// Reads the record, and nothing else: what other backups do meanwhile would be older in a list of the whole ledger
    /// than what this process knows.
    pub(super) fn start_again(&mut self, backup: BackupUid, cause: Cause, ctx: &mut Context<Self>) {
        self.read_record(backup, cause, AGAIN, ctx);
    }

    /// A barrier of this backup starts from what the ledger holds. Nothing else may, meanwhile.
    pub(super) fn read_record(&mut self, backup: BackupUid, cause: Cause, after: Duration, ctx: &mut Context<Self>) {
        self.again.insert(backup.clone());
        let (ledger, reads, uid) = (self.ports.ledger.clone(), self.reads.clone(), backup.clone());
        let writer = self.writer.clone();
        let reading = async move {
            tokio::time::sleep(after).await;
            let mut seen = None;
            loop {
                let found = {
                    // It is closed by nobody.
                    let _one = reads.acquire().await;
                    store::read::<Record>(ledger.as_ref(), &LedgerKey::Record(uid.clone())).await?
                };
                match found {
                    Some((stored, version))
                        if !stored.writer.is_of(&writer) && Standing::of(&stored.body).under_way =>
                    {
                        if seen.as_ref() == Some(&version) {
                            return Ok(Some((stored.body, version)));
                        }
                        seen = Some(version);
                        tokio::time::sleep(STILL).await;
                    }
                    other => return Ok(other.map(|(stored, version)| (stored.body, version))),
                }
            }
        };
        ctx.spawn(reading.into_actor(self).map(move |read: Result<_, PortError>, actor, ctx| match read {
            Ok(Some((record, version))) => actor.found_again(backup, record, version, cause, ctx),
            // It never was saved: nothing was touched. The resync starts it again.
            Ok(None) => {
                actor.again.remove(&backup);
                actor.views.remove(&backup);
                actor.outcomes.forget(&backup);
                actor.no_orphan(&backup);
                actor.feed(claims::Input::Doubted { backup, named: None }, ctx);
            }
            Err(error) => {
                tracing::warn!(%error, %backup, "record cannot be read; trying again");
                actor.start_again(backup, cause, ctx);
            }
        }));
    }

    /// Another process may have written it, and its claim. Its wishes come last, because nobody was there to hear them.
    pub(super) fn found_again(
        &mut self,
        backup: BackupUid,
        record: Record,
        version: Version,
        cause: Cause,
        ctx: &mut Context<Self>,
    ) {
        self.again.remove(&backup);
        self.views.insert(backup.clone(), Arc::new(Barrier::new(record.clone()).view()));
        let (cluster, unchanged) = (record.cluster, cause.ended.as_ref() == Some(&version));
        self.start_barrier(record, Some(version), cause.hopeless, ctx);
        if let Some(found) = cause.verified {
            self.tell_backup(&backup, ToBarrier::Verified(found));
        }
        if !unchanged {
            self.feed(claims::Input::Doubted { backup: backup.clone(), named: cluster }, ctx);
        }
        self.look_again(&backup, ctx);
    }
}

pub(super) async fn read(ledger: Arc<dyn Ledger>, backup: BackupUid) -> Result<Option<(Record, Version)>, PortError> {
    let stored = store::read::<Record>(ledger.as_ref(), &LedgerKey::Record(backup)).await?;
    Ok(stored.map(|(stored, version)| (stored.body, version)))
}

pub(super) fn parse(body: &str) -> Result<Record, String> {
    Stored::<Record>::parse(body).map(|stored| stored.body)
}
