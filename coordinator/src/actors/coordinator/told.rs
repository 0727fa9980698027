//! What barriers tell their parent: where they stand, what they want of claims, how they ended.

use super::{CoordinatorActor, reading::Cause};
use crate::actors::messages::{BarrierOver, Ending, FromBarrier};
use actix::{Context, Handler};
use shared::{
    barrier::{Summary, View},
    claims,
};
use shell::driver::Performer;
use std::sync::Arc;

impl Handler<FromBarrier> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, said: FromBarrier, ctx: &mut Self::Context) {
        match said {
            FromBarrier::WantClaim(want) => self.want_claim(want, ctx),
            FromBarrier::GiveClaim(give) => self.give_claim(give, ctx),
            FromBarrier::Saved(backup) => self.feed(claims::Input::BarrierSaved(backup), ctx),
            FromBarrier::ViewChanged(view) => self.viewed(view, ctx),
            FromBarrier::Over(over) => self.barrier_over(over, ctx),
        }
    }
}

impl CoordinatorActor {
    fn viewed(&mut self, view: Arc<View>, ctx: &mut Context<Self>) {
        self.metrics.viewed(&view, self.clock.wall());
        self.count_calls(&view.record, ctx);
        let uid = view.record.key().clone();
        self.outcomes.set(&Summary::of(&view.record));
        // Its object vanished before this process had seen what its own barrier was told: somebody did delete it.
        if view.record.deleting {
            self.no_orphan(&uid);
        }
        if let Some(over) = self.traced.viewed(self.views.get(&uid), &view, self.clock.wall()) {
            self.ports.traces.ended(over);
        }
        self.views.insert(uid, view);
    }

    fn barrier_over(&mut self, over: BarrierOver, ctx: &mut Context<Self>) {
        self.pasts.keep(over.backup.clone(), over.past);
        if self.barriers.get(&over.backup).map(|live| live.incarnation) != Some(over.incarnation) {
            return;
        }
        self.barriers.remove(&over.backup);
        self.traced.forget(&over.backup);
        self.calls_nothing(&over.backup, ctx);
        let deleted = matches!(over.ending, Ending::Gone);
        self.feed(claims::Input::BarrierEnded { backup: over.backup.clone(), deleted }, ctx);
        match over.ending {
            Ending::Gone => {
                if let Some(view) = self.views.remove(&over.backup) {
                    self.known_as.remove(&view.record.request.backup);
                }
                self.outcomes.forget(&over.backup);
                if self.objects.contains_key(&over.backup) {
                    self.over.insert(over.backup.clone());
                }
                self.condemned.remove(&over.backup);
            }
            Ending::Over(ended) => self.barrier_ended(over.backup, *ended, ctx),
            Ending::Lost | Ending::Hopeless(_) if self.draining => {}
            Ending::Lost => self.start_again(over.backup, Cause::default(), ctx),
            Ending::Hopeless(refusal) => {
                self.start_again(over.backup, Cause { hopeless: Some(refusal), ..Cause::default() }, ctx);
            }
        }
        self.look_for_the_end();
    }
}
