//! PD held by the init plane, then leaders asked everywhere.

use crate::{
    epoch::Epoch,
    ids::Attempt,
    member::{
        effect::{Step, Work},
        machine::Member,
        phase::Phase,
    },
    ts::Ts,
    wire::{Answer, Order, Settle, Settled},
};

impl Member {
    pub(in crate::member) fn settle(&mut self, epoch: Epoch, settle: Settle, step: &mut Step) {
        let init = self.ready.as_ref().is_some_and(|ready| ready.spec.init);
        let order = Order::Settle(settle.clone());
        match settle {
            Settle::HoldPd if init => self.hold_pd(epoch, order, step),
            Settle::HoldPd => {
                if self.is_open(epoch, step) && self.is_ours(epoch, step) {
                    self.refuse_early(epoch, &order, step);
                }
            }
            Settle::Leaders { gc_hold } => {
                if self.takes(if init { Phase::PdHeld } else { Phase::Reserved }, epoch, order, step) {
                    self.phase = Phase::Asking;
                    self.pd.gc_holds_at(gc_hold);
                    self.begin(Work::Leaders { gc_hold }, step);
                }
            }
        }
    }

    fn hold_pd(&mut self, epoch: Epoch, order: Order, step: &mut Step) {
        if self.takes(Phase::Reserved, epoch, order, step) {
            self.phase = Phase::HoldingPd;
            self.touched = true;
            let (service, ttl) = (self.service(), self.limits().safe_point_ttl());
            self.begin(Work::HoldPd { service, ttl }, step);
        }
    }

    pub(super) fn pd_held(&mut self, gc_hold: Ts, schedulers: Vec<String>, step: &mut Step) {
        self.phase = Phase::PdHeld;
        self.pd.gc_holds_at(gc_hold);
        self.arm_pd(step.now);
        self.answer(Answer::Settled(Settled::PdHeld { gc_hold, schedulers }), step);
    }

    pub(super) fn leaders_asked(&mut self, regions: u64, least_safe_ts: Ts, step: &mut Step) {
        self.phase = Phase::Settled;
        self.answer(Answer::Settled(Settled::Leaders { regions, least_safe_ts }), step);
    }

    pub(in crate::member) fn service(&self) -> String {
        safe_point_service(&self.attempt, self.epoch)
    }
}

/// Service id of an attempt's safe point: the epoch in it keeps attempts apart.
pub(super) fn safe_point_service(attempt: &Attempt, epoch: Epoch) -> String {
    format!("isochron-{}-{epoch}", attempt.backup)
}
