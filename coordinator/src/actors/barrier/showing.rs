//! What a barrier shows: to the console, to its object, and for the last time when there is nothing left to do.

use super::BarrierActor;
use crate::{
    actors::{
        messages::{Ended, Ending, FromBarrier},
        publish,
    },
    ports::LedgerKey,
};
use actix::{ActorContext, AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::barrier::{Summary, View};
use std::{sync::Arc, time::Duration};

/// A view is published at most this often while only progress changes.
const VIEW_PACE: Duration = Duration::from_millis(200);

/// Between the last word on a backup and the end of its actor. The object's own echo of that word comes in meanwhile,
/// a second or so later; before it, the object would look as if somebody else had written it.
const LINGER: Duration = Duration::from_secs(5);

impl BarrierActor {
    /// Tells the parent (for the console) and the publisher, at once for a new step or milestone, paced otherwise.
    pub(super) fn show(&mut self, ctx: &mut Context<Self>) {
        let machine = self.driver.machine();
        let (step, record) = (machine.phase_now(), machine.record());
        let moved = self.published.as_ref().is_none_or(|old| {
            let refused = old.planes.values().map(|live| live.refused.as_ref());
            (old.phase, old.record.milestone, &old.record.failure) != (step, record.milestone, &record.failure)
                || !machine.refused_now().eq(refused)
        });
        if moved {
            self.tell();
        } else if !self.paced {
            self.paced = true;
            ctx.run_later(VIEW_PACE, |actor, ctx| {
                actor.paced = false;
                actor.tell();
                actor.leave_if_over(ctx);
            });
        }
    }

    fn tell(&mut self) {
        let view = self.driver.machine().view();
        if self.published.as_deref() == Some(&view) {
            return;
        }
        let record = &view.record;
        if self.published.as_ref().is_none_or(|old| old.phase != view.phase) {
            let (trace, backup, attempt, step) = (record.trace(), record.key(), record.attempt, view.phase);
            tracing::info!(%trace, %backup, attempt, ?step, "step begins");
        }
        let view = Arc::new(view);
        self.published = Some(view.clone());
        self.views.send_replace(Some(view.clone()));
        // Only the console looks at it; the next view replaces one that was lost to a full mailbox.
        let _ = self.parent.try_send(FromBarrier::ViewChanged(view));
    }

    /// A backup that has ended and owes nothing needs no actor: some time after its last view was written into the
    /// object's status, the parent keeps a summary. Whatever comes in until then is taken as ever, and may begin
    /// something new.
    pub(super) fn leave_if_over(&mut self, ctx: &mut Context<Self>) {
        if self.leaving || !self.is_quiet() {
            return;
        }
        let Some(last) = self.published.clone() else { return };
        self.leaving = true;
        if self.has_said(&last) {
            ctx.run_later(LINGER, move |actor, ctx| {
                actor.leaving = false;
                actor.leave(&last, ctx);
            });
            return;
        }
        let mut said = self.said.subscribe();
        // The sender is this actor's own.
        let saying = async move { drop(said.changed().await) };
        ctx.spawn(saying.into_actor(self).map(|(), actor, ctx| {
            actor.leaving = false;
            actor.leave_if_over(ctx);
        }));
    }

    fn leave(&mut self, last: &Arc<View>, ctx: &mut Context<Self>) {
        let unchanged = self.published.as_ref().is_some_and(|now| Arc::ptr_eq(now, last)) && self.has_said(last);
        let version = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        match version.filter(|_| unchanged && self.is_quiet()) {
            Some(version) => {
                self.ending = Ending::Over(Box::new(Ended { summary: Summary::of(&last.record), version }));
                ctx.stop();
            }
            None => self.leave_if_over(ctx),
        }
    }

    /// Nothing is under way, here or in the machine.
    fn is_quiet(&self) -> bool {
        self.driver.machine().is_over() && !self.paced && !self.looking && self.slot.borrow().is_some()
    }

    fn has_said(&self, view: &Arc<View>) -> bool {
        self.said.borrow().as_ref().is_some_and(|said| Arc::ptr_eq(said, view))
    }

    /// Whoever wrote the status may have gone on with the record: the ledger says who is right. A barrier that has ended
    /// saves nothing, so no refused save would tell it.
    pub(super) fn look_up(&mut self, ctx: &mut Context<Self>) {
        // While a save is under way its fence finds out.
        let known = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        let Some(known) = known.filter(|_| !self.looking) else { return };
        self.looking = true;
        let (ledger, key) = (self.ports.ledger.clone(), LedgerKey::Record(self.object.uid.clone()));
        let reading = async move { ledger.read(&key).await };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            actor.looking = false;
            let moved_on = actor.slot.borrow().as_ref().is_none_or(|slot| slot.version() != Some(&known));
            match read {
                // Saved meanwhile: that view is published anyway.
                _ if moved_on || matches!(actor.ending, Ending::Gone) => {}
                Ok(Some(entry)) if entry.version == known => {
                    // What was written is no longer there: it has to be written before this may end.
                    actor.said.send_replace(None);
                    actor.views.send_modify(|_| ());
                }
                Ok(_) => {
                    let backup = &actor.object.uid;
                    tracing::warn!(%backup, "another process saved the record; starting again from the ledger");
                    ctx.stop();
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "status contradicts the record, which cannot be read; the resync asks again");
                }
            }
            actor.leave_if_over(ctx);
        }));
    }

    /// The object goes first, the record last: a crash in between finds milestone `Cleaned` and does it again.
    pub(super) fn finalize(&mut self, ctx: &mut Context<Self>) {
        self.ending = Ending::Gone;
        let (before, view): (_, View) = (self.published.clone(), self.driver.machine().view());
        self.tell();
        let version = self.slot.borrow().as_ref().and_then(|slot| slot.version().cloned());
        let going = publish::finalize(self.ports.clone(), self.object.clone(), before, Arc::new(view), version);
        ctx.spawn(going.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}
