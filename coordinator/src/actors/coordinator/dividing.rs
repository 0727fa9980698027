//! What AWS accounts may call, divided among all backups and planes: a barrier that would not fit beside the others waits for its
//! claim, and planes are told their parts, whenever somebody begins or ends.

use super::CoordinatorActor;
use crate::actors::messages::{ToBarrier, WantClaim};
use actix::{AsyncContext, Context};
use shared::{
    barrier::{Milestone, Record},
    ids::{BackupUid, PlaneId},
    time::Millis,
    wire::{self, Down},
};
use std::time::Duration;

/// Between a change and what planes are told of it: a schedule begins many backups in the same moment. A plane has its order's
/// own part meanwhile, and makes no call before stores are held, which takes longer.
const PACE: Duration = Duration::from_millis(100);

impl CoordinatorActor {
    /// A barrier is prepared and asks for its claim. True: others call too much beside it, and it has to wait.
    pub(super) fn is_crowded(&mut self, want: &WantClaim, ctx: &mut Context<Self>) -> bool {
        let now = self.clock.at();
        let Err(wait) = self.division.accounts.wants(&want.backup, want.demand.clone(), now) else {
            self.divide_soon(ctx);
            return false;
        };
        tracing::info!(backup = %want.backup, beside = wait.text, "a barrier waits for its account's calls");
        self.tell_backup(&want.backup, ToBarrier::ClaimTaken(wait.text));
        self.look_for_room(ctx);
        true
    }

    /// It takes no snapshots, or has them.
    pub(super) fn takes_no_more(&mut self, backup: &BackupUid, ctx: &mut Context<Self>) {
        if self.division.accounts.over(backup) {
            self.divide_soon(ctx);
            self.look_for_room(ctx);
        }
    }

    /// Nothing is heard of it any more.
    pub(super) fn calls_nothing(&mut self, backup: &BackupUid, ctx: &mut Context<Self>) {
        self.takes_no_more(backup, ctx);
        if self.division.accounts.owes(backup, Vec::new()) {
            self.divide_soon(ctx);
        }
    }

    /// It has come further.
    pub(super) fn count_calls(&mut self, record: &Record, ctx: &mut Context<Self>) {
        let backup = record.key();
        match record.milestone {
            Milestone::Preparing | Milestone::Barrier => {}
            Milestone::Snapshotting => self.division.accounts.ordered(backup, self.clock.at()),
            _ => self.takes_no_more(backup, ctx),
        }
        if self.division.accounts.owes(backup, record.owed()) {
            self.divide_soon(ctx);
        }
    }

    /// This plane has a new session, in which it was told nothing.
    pub(super) fn divide_anew(&mut self, plane: &PlaneId, ctx: &mut Context<Self>) {
        self.division.told.remove(plane);
        self.divide_soon(ctx);
    }

    pub(super) fn divide_soon(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.division.due, true) {
            ctx.run_later(PACE, |actor, _| actor.divide());
        }
    }

    fn divide(&mut self) {
        self.division.due = false;
        let mut parts = self.division.accounts.division(|plane| self.sessions.contains_key(plane));
        self.division.told.retain(|plane, _| self.sessions.contains_key(plane));
        for (plane, session) in self.sessions.iter().filter(|(_, session)| session.hello.divides) {
            let parts = parts.remove(plane).unwrap_or_default();
            if self.division.told.get(plane).map_or(&[][..], Vec::as_slice) == parts {
                continue;
            }
            match wire::encode(&Down::Divide(wire::Division { parts: parts.clone() })) {
                Ok(frame) => {
                    // As every frame: one that finds no room ends the session.
                    if session.channel.tx.try_send(frame.into()).is_err() {
                        session.channel.close.notify_one();
                    }
                }
                Err(error) => tracing::error!(%plane, %error, "a division cannot be encoded"),
            }
            self.division.told.insert(plane.clone(), parts);
        }
    }

    /// Those for whom there is room prepare anew, in the order in which they came: what they have prepared may be stale.
    fn look_for_room(&mut self, ctx: &mut Context<Self>) {
        let (ready, again) = self.division.accounts.ready(self.clock.at());
        if let Some(looking) = self.division.looking.take() {
            ctx.cancel_future(looking);
        }
        self.division.looking = again.map(|Millis(again)| {
            ctx.run_later(Duration::from_millis(again), |actor, ctx| {
                actor.division.looking = None;
                actor.look_for_room(ctx);
            })
        });
        if !ready.is_empty() {
            self.divide_soon(ctx);
        }
        for backup in ready {
            tracing::info!(%backup, "a barrier's account has room for its calls");
            if !self.tell_backup(&backup, ToBarrier::ClaimFree) {
                self.division.accounts.over(&backup);
            }
        }
    }
}
