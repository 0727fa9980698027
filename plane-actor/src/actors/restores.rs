//! The plane actor's restores: each has an actor of its own, made from what the ledger holds when its first order comes.

use super::{
    known_restores::LiveRestore,
    plane::PlaneActor,
    restorer::{ForgetRestore, RestoreOrdered, RestorerActor, RestorerMoved},
};
use actix::{Actor, Addr, AsyncContext, Context, Handler};
use shared::{
    ids::RestoreUid,
    reason::{Reason, Refusal},
    wire::{Restore, RestoreAnswer, Restored, Up},
};

/// Restores at work at a time, or remembered: each takes what an account may call.
const MAX_RESTORES: usize = 8;

impl PlaneActor {
    pub(super) fn restore(&mut self, order: Box<Restore>, ctx: &Context<Self>) {
        if self.stopping {
            tracing::info!(restore = %order.restore, order = order.order.name(), "not taken on: this process ends");
            return;
        }
        let (restore, epoch) = (order.restore.clone(), order.epoch);
        let Some(addr) = self.restorer(&restore, ctx) else {
            let text = format!("{MAX_RESTORES} restores are under way in this plane");
            let answer = RestoreAnswer::Refused(Refusal::new(Reason::PlaneBusy, text));
            self.env.uplink.send(&Up::Restored(Box::new(Restored { restore, epoch, answer })));
            return;
        };
        // Overflow rule: one that cannot take an order loses the link; the coordinator repeats what it is owed.
        if addr.try_send(RestoreOrdered(order)).is_err() {
            tracing::warn!(%restore, "an order of a restore cannot be taken; dropping the link");
            self.env.uplink.give_up();
        }
    }

    /// `None`: all places are taken by busy ones.
    fn restorer(&mut self, restore: &RestoreUid, ctx: &Context<Self>) -> Option<Addr<RestorerActor>> {
        let restores = &mut self.restores;
        restores.uses += 1;
        restores.live.retain(|_, live| live.addr.connected());
        if let Some(live) = restores.live.get_mut(restore) {
            live.used = restores.uses;
            return Some(live.addr.clone());
        }
        if restores.live.len() >= MAX_RESTORES {
            let idle = restores.live.iter().filter(|(_, live)| !live.busy).min_by_key(|(_, live)| live.used);
            let idle = idle.map(|(restore, _)| restore.clone())?;
            if let Some(idle) = restores.live.remove(&idle) {
                // Overflow rule: it is idle, so its mailbox has room; one that died needs no word.
                let _ = idle.addr.try_send(ForgetRestore);
            }
        }
        let addr = RestorerActor::new(self.env.clone(), restore.clone(), ctx.address().recipient()).start();
        restores.live.insert(restore.clone(), LiveRestore { addr: addr.clone(), busy: true, used: restores.uses });
        Some(addr)
    }
}

impl Handler<RestorerMoved> for PlaneActor {
    type Result = ();
    fn handle(&mut self, moved: RestorerMoved, _: &mut Context<Self>) {
        if let Some(live) = self.restores.live.get_mut(&moved.restore) {
            live.busy = moved.busy;
        }
    }
}
