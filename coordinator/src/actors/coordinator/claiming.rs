//! Claims, as this actor grants, saves and ends them.

use super::{AGAIN, AsyncContext, CoordinatorActor, WAITING_MAX};
use crate::{
    actors::{
        claims::{Saving, Verdict, Wish},
        messages::{GiveClaim, ToBarrier, WantClaim},
        store::Stored,
    },
    ports::LedgerKey,
};
use actix::{Context, Handler, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Claim, ClaimHolder},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
};
use shell::driver::FenceError;

impl CoordinatorActor {
    pub(super) fn save_claim(&self, saving: Saving, wish: Option<(BackupUid, Epoch)>, ctx: &mut Context<Self>) {
        ctx.spawn(saving.run().into_actor(self).map(move |(saving, outcome), actor, ctx| {
            let cluster = saving.cluster;
            let holder = actor.holder(cluster);
            actor.claims.saved(saving, outcome.is_ok());
            if let (Err(_), None, Some(holder)) = (&outcome, &wish, holder) {
                actor.owed.insert(cluster, holder);
            }
            match (outcome, wish) {
                (Ok(()), Some((backup, epoch))) => actor.tell_backup(&backup, ToBarrier::Claimed(epoch)),
                (Ok(()), None) => actor.claim_free(cluster),
                (Err(error), wish) => actor.claim_failed(cluster, &error, wish.map(|(backup, _)| backup), ctx),
            }
            let giving: Vec<_> = actor.giving.iter().filter(|(of, _)| *of == cluster).cloned().collect();
            for (cluster, backup) in giving {
                actor.giving.remove(&(cluster, backup.clone()));
                actor.give(cluster, backup, ctx);
            }
        }));
    }

    /// What is stored is unknown: read it anew, then let whoever waits ask again.
    pub(super) fn claim_failed(
        &mut self,
        cluster: ClusterId,
        error: &FenceError,
        wish: Option<BackupUid>,
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(%error, %cluster, "claim was not saved; reading it anew");
        if let Some(backup) = wish {
            self.tell_backup(&backup, ToBarrier::ClaimTaken(format!("nobody: {error}")));
            self.wait_for(cluster, backup);
        }
        let ledger = self.ports.ledger.clone();
        let reading = async move {
            tokio::time::sleep(AGAIN).await;
            ledger.read(&LedgerKey::Claim(cluster)).await
        };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| match read {
            Ok(Some(entry)) => {
                match Stored::<Claim>::parse(&entry.body) {
                    Ok(stored) => {
                        actor.claims.found(stored.body, entry.version, "a save of unknown outcome".to_owned())
                    }
                    Err(error) => tracing::error!(%cluster, error, "claim cannot be read"),
                }
                actor.give_owed(cluster, ctx);
                actor.end_claims_of_nobody(cluster, ctx);
                actor.claim_free(cluster);
            }
            Ok(None) => actor.claim_free(cluster),
            Err(error) => actor.claim_failed(cluster, &FenceError::Unknown(error.to_string()), None, ctx),
        }));
    }

    /// After a save of unknown outcome the claim may name a backup that was told "taken": nothing was sent under it.
    pub(super) fn end_claims_of_nobody(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let over: Vec<_> = self
            .claims
            .live()
            .filter(|(claim, live)| {
                claim.cluster == cluster
                    && self.views.get(&live.backup).is_none_or(|view| view.record.epoch != claim.epoch)
            })
            .map(|(_, live)| live.backup.clone())
            .collect();
        for backup in over {
            self.give(cluster, backup, ctx);
        }
    }

    fn holder(&self, cluster: ClusterId) -> Option<ClaimHolder> {
        self.claims.live().find(|(claim, _)| claim.cluster == cluster).map(|(_, live)| live.clone())
    }

    /// A claim that could not be given back is still there: its holder has ended, and will not ask again.
    fn give_owed(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let Some(owed) = self.owed.remove(&cluster) else { return };
        if self.holder(cluster).as_ref() == Some(&owed) {
            self.give(cluster, owed.backup, ctx);
        }
    }

    pub(super) fn give(&mut self, cluster: ClusterId, backup: BackupUid, ctx: &mut Context<Self>) {
        if self.claims.busy(cluster) {
            self.giving.insert((cluster, backup));
        } else if let Some(saving) = self.claims.give(cluster, &backup) {
            self.save_claim(*saving, None, ctx);
        }
    }

    pub(super) fn wait_for(&mut self, cluster: ClusterId, backup: BackupUid) {
        let queue = self.waiting.entry(cluster).or_default();
        if !queue.contains(&backup) && queue.len() < WAITING_MAX {
            queue.push_back(backup);
        }
    }

    pub(super) fn claim_free(&mut self, cluster: ClusterId) {
        for backup in self.waiting.remove(&cluster).unwrap_or_default() {
            self.tell_backup(&backup, ToBarrier::ClaimFree);
        }
    }

    pub(super) fn tell_backup(&self, backup: &BackupUid, message: ToBarrier) {
        if let Some(addr) = self.barriers.get(backup) {
            self.tell(addr, message);
        }
    }
}

impl Handler<WantClaim> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, want: WantClaim, ctx: &mut Self::Context) {
        let wish = Wish { backup: want.backup, name: want.name, attempt: want.attempt, floor: want.floor };
        match self.claims.want(want.cluster, &wish) {
            Verdict::Save(saving) => {
                let epoch = saving.claim.epoch;
                self.save_claim(*saving, Some((wish.backup, epoch)), ctx);
            }
            Verdict::Taken(holder) => {
                self.tell_backup(&wish.backup, ToBarrier::ClaimTaken(holder));
                self.wait_for(want.cluster, wish.backup);
            }
        }
    }
}

impl Handler<GiveClaim> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, give: GiveClaim, ctx: &mut Self::Context) {
        if let Some(queue) = self.waiting.get_mut(&give.cluster) {
            queue.retain(|backup| backup != &give.backup);
        }
        self.give(give.cluster, give.backup, ctx);
    }
}
