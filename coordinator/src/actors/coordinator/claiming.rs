//! Carries out what the arbiter of claims wants. None of it is waited for: the parent of every barrier goes on meanwhile.

use super::CoordinatorActor;
use crate::actors::{
    claims,
    messages::{GiveClaim, ToBarrier, WantClaim},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::Claim,
    claims::{Answer, Claims, Effect, Input, Want},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    time::Now,
};
use shell::driver::{Driver, FenceError, Performed, Performer};

impl Performer for CoordinatorActor {
    type M = Claims;

    fn driver(&mut self) -> &mut Driver<Claims> {
        &mut self.claims
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        match effect {
            Effect::Tell(backup, answer) => {
                if !matches!(answer, Answer::Granted(_) | Answer::Free) {
                    self.takes_no_more(&backup, ctx);
                }
                if !self.restores.tell_holder(&backup, &answer) && !self.tell_backup(&backup, to_barrier(answer)) {
                    self.feed(Input::NotTold(backup), ctx);
                }
            }
            Effect::Save(claim) => self.save_claim(claim, ctx),
            Effect::Read(cluster) => self.read_claim(cluster, ctx),
            Effect::ReadHolder { cluster, epoch, backup } => self.read_holder(cluster, epoch, backup, ctx),
            Effect::List => self.list_claims(ctx),
        }
        Performed::Done
    }

    /// No effect of claims is a fence. More inputs from one batch than are held would be a fault of this actor: the
    /// process would grant nothing any more, and says so.
    fn fence_failed(&mut self, error: FenceError, _: &mut Context<Self>) {
        tracing::error!(%error, "claims are no longer arbitrated; restart the coordinator");
    }

    fn stepped(&mut self, _: &mut Context<Self>) {
        self.look_for_the_end();
    }
}

impl CoordinatorActor {
    fn hear(&self, answer: impl Future<Output = Input> + 'static, ctx: &mut Context<Self>) {
        ctx.spawn(answer.into_actor(self).map(|input, actor, ctx| actor.feed(input, ctx)));
    }

    fn save_claim(&mut self, claim: Claim, ctx: &mut Context<Self>) {
        let cluster = claim.cluster;
        let saving = self.claim_store.save(claim);
        ctx.spawn(saving.into_actor(self).map(move |saved, actor, ctx| {
            let input = match saved {
                Ok(slot) => {
                    actor.claim_store.saved(cluster, slot);
                    Input::Saved(cluster)
                }
                Err(error) => {
                    tracing::warn!(%error, %cluster, "claim was not saved; reading it anew");
                    Input::NotSaved { cluster, error: error.to_string() }
                }
            };
            actor.feed(input, ctx);
        }));
    }

    fn read_claim(&self, cluster: ClusterId, ctx: &mut Context<Self>) {
        let reading = claims::read(self.ports.ledger.clone(), cluster);
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            let input = match read {
                Ok(found) => {
                    let (claim, version) = found.unzip();
                    actor.claim_store.seen(cluster, version);
                    Input::Read { cluster, claim }
                }
                Err(error) => {
                    tracing::warn!(%cluster, %error, "claim cannot be read; trying again");
                    Input::NotRead(cluster)
                }
            };
            actor.feed(input, ctx);
        }));
    }

    fn read_holder(&self, cluster: ClusterId, epoch: Epoch, backup: BackupUid, ctx: &mut Context<Self>) {
        let (ledger, reads, we) = (self.ports.ledger.clone(), self.reads.clone(), self.writer.clone());
        let reading = async move {
            // It is closed by nobody.
            let _one = reads.acquire().await;
            let record = claims::holder(ledger, backup.clone(), &we).await;
            Input::HolderRead { cluster, epoch, backup, record }
        };
        self.hear(reading, ctx);
    }

    fn list_claims(&self, ctx: &mut Context<Self>) {
        let ledger = self.ports.ledger.clone();
        let listing = async move {
            claims::list(ledger).await.map_or_else(
                |error| {
                    tracing::warn!(%error, "claims cannot be read; trying again");
                    Input::NotListed
                },
                Input::Listed,
            )
        };
        self.hear(listing, ctx);
    }

    /// False: it has no barrier, or its barrier could not take it.
    pub(super) fn tell_backup(&self, backup: &BackupUid, message: ToBarrier) -> bool {
        self.barriers.get(backup).is_some_and(|live| self.tell(&live.addr, message))
    }

    /// A barrier asks for the claim. One that is gone asks for nothing.
    pub(super) fn want_claim(&mut self, want: WantClaim, ctx: &mut Context<Self>) {
        let asks = self.barriers.get(&want.backup).is_some_and(|live| live.incarnation == want.incarnation);
        if asks && !self.withholds(&want) && !self.is_crowded(&want, ctx) {
            let WantClaim { backup, attempt, cluster, floor, .. } = want;
            self.feed(Input::Wanted(Want { backup, attempt, cluster, floor }), ctx);
        }
    }

    /// A barrier gives it back.
    pub(super) fn give_claim(&mut self, give: GiveClaim, ctx: &mut Context<Self>) {
        self.drains.forget(&give.backup);
        self.takes_no_more(&give.backup, ctx);
        self.feed(Input::GivenBack { backup: give.backup, cluster: give.cluster }, ctx);
    }
}

fn to_barrier(answer: Answer) -> ToBarrier {
    match answer {
        Answer::Granted(epoch) => ToBarrier::Claimed(epoch),
        Answer::Taken(holder) => ToBarrier::ClaimTaken(holder),
        Answer::Refused(refusal) => ToBarrier::ClaimRefused(refusal),
        Answer::Free => ToBarrier::ClaimFree,
        Answer::Contradicted => ToBarrier::Contradicted,
    }
}
