//! Every store of this member held by a lease.

use crate::{
    epoch::Epoch,
    evidence::HoldKind,
    ids::StoreId,
    member::{
        effect::{Effect, Step, Work},
        input::Timer,
        machine::Member,
        phase::Phase,
    },
    reason::{Reason, Refusal},
    time::Millis,
    wire::{Answer, Order, Suspended},
};
use std::collections::BTreeSet;

impl Member {
    pub(in crate::member) fn suspend(&mut self, epoch: Epoch, step: &mut Step) {
        if self.takes(Phase::Settled, epoch, Order::Suspend, step) {
            self.phase = Phase::Suspending;
            self.touched = true;
            self.begin(Work::OpenHolds { stores: self.stores() }, step);
        }
    }

    pub(super) fn holds_opened(&mut self, step: &mut Step) {
        self.holds.opened();
        self.suspended_if_all(step);
    }

    fn stores(&self) -> BTreeSet<StoreId> {
        self.ready.iter().flat_map(|ready| ready.prepared.stores.iter().map(|store| store.store)).collect()
    }

    pub(in crate::member) fn store_held(&mut self, store: StoreId, age: Millis, kind: HoldKind, step: &mut Step) {
        let local = self.ready.iter().any(|ready| ready.prepared.stores.iter().any(|known| known.store == store));
        let allowed = kind.is_full() || self.ready.iter().any(|ready| ready.spec.allow_weaker_holds);
        if self.phase == Phase::Suspending && local && allowed && !self.holds.contains(store) {
            self.take_hold(store, age, kind, step);
        } else if self.phase.is_live() {
            // Two streams of one store, or a hold that nobody asked for: E2 wants exactly one of the kind allowed.
            self.alarm(format!("store {store} was held at {:?}", self.phase), step);
            let text = format!(
                "store {store} was held a second time, or in a way that is not allowed, or is none of this member"
            );
            self.abort_locally(Refusal::new(Reason::Internal, text), step);
        } else {
            // It was opened while the attempt ended: the machine has forgotten it, the world has not.
            self.dropping = self.dropping.saturating_add(1);
            step.push(Effect::DropHolds { confirmed: false });
        }
    }

    fn take_hold(&mut self, store: StoreId, age: Millis, kind: HoldKind, step: &mut Step) {
        let lease = self.limits().store_lease;
        let until = step.now.at + Millis(lease.0.saturating_sub(age.0));
        self.holds.take(store, until, kind);
        let due = step.now.at + Millis(lease.quarter().0.saturating_sub(age.0));
        self.timers.set_sooner(Timer::RenewStores, due);
        self.suspended_if_all(step);
    }

    fn suspended_if_all(&mut self, step: &mut Step) {
        let wanted = self.ready.as_ref().map_or(0, |ready| ready.prepared.stores.len());
        if self.phase == Phase::Suspending && self.holds.all_open() && self.holds.len() == wanted {
            self.phase = Phase::Suspended;
            let stores = u32::try_from(wanted).unwrap_or(u32::MAX);
            self.answer(Answer::Suspended(Suspended { stores }), step);
        }
    }
}
