//! Claims, as this actor grants, saves and ends them.

use super::{AGAIN, AsyncContext, CoordinatorActor, is_under_way, names_claim};
use crate::{
    actors::{
        claims::{Saving, Verdict, Wish},
        messages::{GiveClaim, ToBarrier, WantClaim},
        store::Stored,
    },
    ports::LedgerKey,
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Claim, ClaimHolder, Record},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
};
use shell::driver::FenceError;

impl CoordinatorActor {
    pub(super) fn save_claim(&mut self, saving: Saving, wish: Option<(BackupUid, Epoch)>, ctx: &mut Context<Self>) {
        self.saving_claims += 1;
        ctx.spawn(saving.run().into_actor(self).map(move |(saving, outcome), actor, ctx| {
            actor.saving_claims -= 1;
            let cluster = saving.cluster;
            match (outcome, wish) {
                (Ok(()), Some((backup, epoch))) => {
                    actor.claims.saved(saving);
                    actor.waiting.taken(cluster);
                    if actor.tell_backup(&backup, ToBarrier::Claimed(epoch)) {
                        actor.granted.insert(cluster, (backup, epoch));
                    } else {
                        actor.judge_claim(cluster, ctx);
                    }
                    actor.give_waiting(cluster, ctx);
                }
                (Ok(()), None) => {
                    actor.claims.saved(saving);
                    actor.granted.remove(&cluster);
                    actor.claim_free(cluster);
                    actor.give_waiting(cluster, ctx);
                }
                (Err(error), wish) => actor.claim_failed(cluster, &error, wish.map(|(backup, _)| backup), ctx),
            }
            actor.look_for_the_end();
        }));
    }

    /// What is stored is unknown: read it anew, then let whoever waits ask again.
    fn claim_failed(
        &mut self,
        cluster: ClusterId,
        error: &FenceError,
        wish: Option<BackupUid>,
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(%error, %cluster, "claim was not saved; reading it anew");
        match wish {
            Some(backup) => {
                self.tell_backup(&backup, ToBarrier::ClaimTaken(format!("nobody: {error}")));
                self.waiting.leave(cluster, &backup);
                self.waiting.join(cluster, backup);
            }
            // A claim that could not be given back is still there: its holder has ended, and will not ask again.
            None => self.owed.extend(self.holder(cluster).map(|holder| (cluster, holder))),
        }
        self.read_claim(cluster, ctx);
    }

    /// Asks the ledger, again and again until it answers; the claim is busy meanwhile.
    fn read_claim(&self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let ledger = self.ports.ledger.clone();
        let reading = async move {
            tokio::time::sleep(AGAIN).await;
            let Some(entry) = ledger.read(&LedgerKey::Claim(cluster)).await.map_err(|error| error.to_string())? else {
                return Ok(None);
            };
            Stored::<Claim>::parse(&entry.body).map(|stored| Some((stored.body, entry.version)))
        };
        ctx.spawn(reading.into_actor(self).map(move |read: Result<_, String>, actor, ctx| {
            match read {
                Ok(Some((claim, version))) => actor.claims.found(claim, version, "another process".to_owned()),
                Ok(None) => actor.claims.absent(cluster),
                Err(error) => {
                    tracing::warn!(%cluster, error, "claim cannot be read; trying again");
                    return actor.read_claim(cluster, ctx);
                }
            }
            actor.give_owed(cluster, ctx);
            actor.give_waiting(cluster, ctx);
            actor.judge_claim(cluster, ctx);
        }));
    }

    /// Another process may have written this claim: read it, unless that is under way.
    pub(super) fn doubt_claim(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        if self.claims.doubt(cluster) {
            self.read_claim(cluster, ctx);
        }
    }

    /// The record of a backup is gone. A process that was deposed may have claimed for it what this one never heard of;
    /// nobody else would end that claim before the next backup of its TiDB cluster.
    pub(super) fn end_claims_of(&self, backup: BackupUid, ctx: &mut Context<Self>) {
        let ledger = self.ports.ledger.clone();
        let reading = async move { ledger.claims().await };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| match read {
            Ok(entries) => {
                let claims = entries.iter().filter_map(|entry| Stored::<Claim>::parse(&entry.body).ok());
                let left = claims.filter(|stored| stored.body.live.as_ref().is_some_and(|live| live.backup == backup));
                left.for_each(|stored| actor.doubt_claim(stored.body.cluster, ctx));
            }
            Err(error) => {
                tracing::warn!(%error, %backup, "claims cannot be read; trying again");
                ctx.run_later(AGAIN, move |actor, ctx| actor.end_claims_of(backup, ctx));
            }
        }));
    }

    /// A claim that is held, but not by an attempt that may hold anything, granted nothing (I2) and is ended. What its
    /// holder's record says is read from the ledger: what this process knows of it may be another process's past. A
    /// grant of this very process is its barrier's, which has not saved it yet.
    pub(super) fn judge_claim(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let Some((epoch, holder)) = self.held(cluster) else { return self.claim_free(cluster) };
        if self.is_granted(cluster, epoch, &holder.backup) {
            return;
        }
        let (ledger, key) = (self.ports.ledger.clone(), LedgerKey::Record(holder.backup.clone()));
        let reading = async move { ledger.read(&key).await };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            let entry = match read {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::warn!(%error, %cluster, "record of a claim's holder cannot be read; trying again");
                    ctx.run_later(AGAIN, move |actor, ctx| actor.judge_claim(cluster, ctx));
                    return;
                }
            };
            if !actor.held(cluster).is_some_and(|now| now == (epoch, holder.clone()))
                || actor.is_granted(cluster, epoch, &holder.backup)
            {
                return;
            }
            let record = entry.map(|entry| Stored::<Record>::parse(&entry.body).map(|stored| stored.body));
            match record {
                Some(Err(error)) => {
                    tracing::error!(%cluster, error, "record of a claim's holder cannot be read; it is left alone");
                }
                Some(Ok(record)) if names_claim(&record, cluster, epoch) => {}
                // A deposed process may still save this epoch into it, until we have saved it ourselves (I1).
                Some(Ok(record)) if is_under_way(&record) && !actor.fenced.contains(&holder.backup) => {
                    ctx.run_later(AGAIN, move |actor, ctx| actor.judge_claim(cluster, ctx));
                }
                Some(Ok(_)) | None => actor.give(cluster, holder.backup, ctx),
            }
        }));
    }

    fn is_granted(&self, cluster: ClusterId, epoch: Epoch, backup: &BackupUid) -> bool {
        self.granted.get(&cluster).is_some_and(|(of, at)| of == backup && *at == epoch)
    }

    fn held(&self, cluster: ClusterId) -> Option<(Epoch, ClaimHolder)> {
        self.claims.live().find(|(claim, _)| claim.cluster == cluster).map(|(claim, live)| (claim.epoch, live.clone()))
    }

    fn holder(&self, cluster: ClusterId) -> Option<ClaimHolder> {
        self.held(cluster).map(|(_, holder)| holder)
    }

    fn give_owed(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let Some(owed) = self.owed.remove(&cluster) else { return };
        if self.holder(cluster).as_ref() == Some(&owed) {
            self.give(cluster, owed.backup, ctx);
        }
    }

    /// What was to be given back while the claim was busy.
    fn give_waiting(&mut self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let giving: Vec<_> = self.giving.iter().filter(|(of, _)| *of == cluster).cloned().collect();
        for (cluster, backup) in giving {
            self.giving.remove(&(cluster, backup.clone()));
            self.give(cluster, backup, ctx);
        }
    }

    pub(super) fn give(&mut self, cluster: ClusterId, backup: BackupUid, ctx: &mut Context<Self>) {
        if self.claims.busy(cluster) {
            self.giving.insert((cluster, backup));
        } else if let Some(saving) = self.claims.give(cluster, &backup) {
            self.save_claim(*saving, None, ctx);
        }
    }

    /// Calls the first that waits and has a barrier, if nobody holds the claim.
    pub(super) fn claim_free(&mut self, cluster: ClusterId) {
        if self.claims.busy(cluster) || self.held(cluster).is_some() {
            return;
        }
        let now = self.clock.now().at;
        while let Some(backup) = self.waiting.call(cluster, now) {
            if self.tell_backup(&backup, ToBarrier::ClaimFree) {
                return;
            }
            self.waiting.leave(cluster, &backup);
        }
    }

    /// A call that was lost, or not followed, must not leave the others waiting.
    pub(super) fn call_waiting(&mut self) {
        for cluster in self.waiting.clusters() {
            self.claim_free(cluster);
        }
    }

    /// Its barrier is gone.
    pub(super) fn no_longer_waits(&mut self, backup: &BackupUid) {
        for cluster in self.claims.clusters() {
            if self.waiting.leave(cluster, backup) {
                self.claim_free(cluster);
            }
        }
    }

    /// False: it has no barrier, or its barrier could not take it.
    pub(super) fn tell_backup(&self, backup: &BackupUid, message: ToBarrier) -> bool {
        self.barriers.get(backup).is_some_and(|live| self.tell(&live.addr, message))
    }
}

impl CoordinatorActor {
    /// A barrier asks for the claim.
    pub(super) fn want_claim(&mut self, want: WantClaim, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        let wish = Wish { backup: want.backup, name: want.name, attempt: want.attempt, floor: want.floor };
        let first = self.waiting.first(want.cluster, self.clock.now().at);
        if first.is_some_and(|first| first != &wish.backup) {
            self.tell_backup(&wish.backup, ToBarrier::ClaimTaken("one that has waited longer".to_owned()));
            self.waiting.join(want.cluster, wish.backup);
            return;
        }
        match self.claims.want(want.cluster, &wish) {
            Verdict::Save(saving) => {
                let epoch = saving.claim.epoch;
                self.save_claim(*saving, Some((wish.backup, epoch)), ctx);
            }
            Verdict::Refused(refusal) => {
                self.tell_backup(&wish.backup, ToBarrier::ClaimRefused(refusal));
                // Whoever waits behind it has a wish of his own.
                self.waiting.leave(want.cluster, &wish.backup);
                self.claim_free(want.cluster);
            }
            Verdict::Taken(holder) => {
                self.tell_backup(&wish.backup, ToBarrier::ClaimTaken(holder));
                self.waiting.leave(want.cluster, &wish.backup);
                self.waiting.join(want.cluster, wish.backup);
            }
        }
    }

    /// A barrier gives it back.
    pub(super) fn give_claim(&mut self, give: GiveClaim, ctx: &mut Context<Self>) {
        let called = self.waiting.leave(give.cluster, &give.backup);
        self.give(give.cluster, give.backup, ctx);
        if called {
            self.claim_free(give.cluster);
        }
    }
}
