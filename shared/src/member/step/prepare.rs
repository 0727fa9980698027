//! This plane looks at what is there; nothing is touched.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        machine::{Member, Ready},
        phase::Phase,
    },
    request::MemberSpec,
    wire::{Answer, Order, Prepare, Prepared},
};

impl Member {
    pub(in crate::member) fn prepare(&mut self, epoch: Epoch, prepare: Prepare, step: &mut Step) {
        if !self.is_open(epoch, step) {
            return;
        }
        if self.epoch != Epoch::NONE || self.phase > Phase::Prepared {
            self.refuse_stale(epoch, step);
            return;
        }
        let round = match (&self.current, &self.last) {
            (Some((_, Order::Prepare(begun))), _) => begun.round,
            (_, Some((_, Order::Prepare(answered), _))) => answered.round,
            _ => 0,
        };
        if prepare.round < round {
            // Late, or from a coordinator that restarted and counts anew: what was answered to the newer round tells it
            // so. A round under way will be answered.
            if let Some((last_epoch, _, answer)) = &self.last {
                self.send(*last_epoch, answer.clone(), step);
            }
            return;
        }
        self.cancel_work(step);
        self.phase = Phase::Preparing;
        self.ready = None;
        self.last = None;
        self.current = Some((epoch, Order::Prepare(prepare.clone())));
        self.begin(Work::Prepare(prepare), step);
    }

    pub(super) fn prepared(&mut self, spec: MemberSpec, prepared: Prepared, step: &mut Step) {
        self.phase = Phase::Prepared;
        self.highest = self.highest.max(prepared.highest_epoch);
        self.ready = Some(Ready { spec, prepared: prepared.clone() });
        self.answer(Answer::Prepared(prepared), step);
    }
}
