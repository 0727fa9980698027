//! The process is to end: nothing new is begun here, and whoever waits learns when nothing is under way any more.

use super::CoordinatorActor;
use crate::actors::messages::{AbortAll, Drain, ToBarrier};
use actix::{Context, Handler};
use shared::claims;
use shell::driver::Performer;

impl CoordinatorActor {
    /// A barrier that is over has been told so; a claim whose save is under way is another's to find.
    pub(super) fn look_for_the_end(&mut self) {
        if self.barriers.is_empty()
            && self.restores.are_idle()
            && !self.claims.machine().is_saving()
            && let Some(drained) = self.drained.take()
        {
            // Its time was up, and nobody waits any more.
            let _ = drained.send(());
        }
    }

    fn tell_all(&self, message: fn() -> ToBarrier) {
        for live in self.barriers.values() {
            self.tell(&live.addr, message());
        }
    }
}

impl Handler<Drain> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Drain(drained): Drain, ctx: &mut Context<Self>) {
        self.draining = true;
        self.feed(claims::Input::Draining, ctx);
        self.drained = Some(drained);
        self.tell_all(|| ToBarrier::Drain);
        self.restores.stop_all();
        self.look_for_the_end();
    }
}

impl Handler<AbortAll> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: AbortAll, _: &mut Context<Self>) {
        self.tell_all(|| ToBarrier::Stop);
    }
}
