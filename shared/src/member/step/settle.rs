//! PD held by the init plane, then leaders asked everywhere.

use crate::{
    epoch::Epoch,
    ids::Attempt,
    member::{
        effect::{Effect, Work},
        machine::Member,
        phase::Phase,
    },
    time::Now,
    ts::Ts,
    wire::{Answer, Order, Settle, Settled},
};

impl Member {
    pub(in crate::member) fn settle(&mut self, epoch: Epoch, settle: Settle, effects: &mut Vec<Effect>) {
        let init = self.ready.as_ref().is_some_and(|ready| ready.spec.init);
        let order = Order::Settle(settle.clone());
        match settle {
            Settle::HoldPd if init => self.hold_pd(epoch, order, effects),
            Settle::HoldPd => {
                if self.is_open(epoch, effects) && self.is_ours(epoch, effects) {
                    self.refuse_early(epoch, &order, effects);
                }
            }
            Settle::Leaders { gc_hold } => {
                if self.takes(if init { Phase::PdHeld } else { Phase::Reserved }, epoch, order, effects) {
                    self.phase = Phase::Asking;
                    self.gc_hold = Some(gc_hold);
                    self.begin(Work::Leaders { gc_hold }, effects);
                }
            }
        }
    }

    fn hold_pd(&mut self, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        if self.takes(Phase::Reserved, epoch, order, effects) {
            self.phase = Phase::HoldingPd;
            self.touched = true;
            let (service, ttl) = (self.service(), self.limits().safe_point_ttl());
            self.begin(Work::HoldPd { service, ttl }, effects);
        }
    }

    pub(super) fn pd_held(&mut self, now: Now, gc_hold: Ts, schedulers: Vec<String>, effects: &mut Vec<Effect>) {
        self.phase = Phase::PdHeld;
        self.gc_hold = Some(gc_hold);
        self.arm_pd(now);
        self.answer(Answer::Settled(Settled::PdHeld { gc_hold, schedulers }), effects);
    }

    pub(super) fn leaders_asked(&mut self, regions: u64, least_safe_ts: Ts, effects: &mut Vec<Effect>) {
        self.phase = Phase::Settled;
        self.answer(Answer::Settled(Settled::Leaders { regions, least_safe_ts }), effects);
    }

    pub(in crate::member) fn service(&self) -> String {
        safe_point_service(&self.attempt, self.epoch)
    }
}

/// Service id of an attempt's safe point: the epoch in it keeps attempts apart.
pub(super) fn safe_point_service(attempt: &Attempt, epoch: Epoch) -> String {
    format!("isochron-{}-{epoch}", attempt.backup)
}
