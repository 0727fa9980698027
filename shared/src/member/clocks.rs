//! Holds and the clocks that end them. Renewals come from here alone, and only while the plane's own lease lives: a hung
//! coordinator cannot hold a store for ever.

use super::{
    effect::{Effect, Step, Work},
    holds::Renewal,
    input::{Done, Timer},
    machine::Member,
    phase::Phase,
};
use crate::{
    epoch::Epoch,
    ids::StoreId,
    reason::{Reason, Refusal},
    time::Now,
    wire::{Answer, Renew, Renewed},
};

impl Member {
    /// Extends the plane's own lease.
    pub(super) fn renew(&mut self, epoch: Epoch, renew: &Renew, step: &mut Step) {
        if !self.is_open(epoch, step) {
            return;
        }
        if self.phase == Phase::Idle {
            self.refuse(epoch, Reason::NotPrepared, "this plane has not prepared this attempt", step);
            return;
        }
        // After a reconnect a renewal comes before the `Reserve` that it would extend.
        if self.phase < Phase::Reserving || !self.is_ours(epoch, step) {
            return;
        }
        self.lease.renewed(renew.number, step.now.at + self.limits().plane_lease);
        self.send(epoch, Answer::Renewed(Renewed { number: renew.number }), step);
    }

    /// A timer that is not armed was overtaken by what ended it.
    pub(super) fn expired_timer(&mut self, timer: Timer, step: &mut Step) {
        match timer {
            Timer::PlaneLease if self.lease.runs() => self.plane_lease_ended(step),
            Timer::StoreLease => self.store_lease_ended(step),
            Timer::RenewStores if self.timers.runs(timer) => {
                self.timers.set(timer, step.now.at + self.limits().store_lease.quarter());
                self.renew_stores(None, step);
            }
            Timer::RenewPd if self.timers.runs(timer) => {
                self.arm_pd(step.now);
                if let (false, Some(gc_hold)) = (self.pd.is_renewing(), self.pd.gc_hold()) {
                    let number = self.next_number();
                    self.pd.renew(number);
                    let (service, ttl) = (self.service(), self.limits().safe_point_ttl());
                    step.push(Effect::Work { number, work: Work::RenewPd { service, ttl, gc_hold } });
                }
            }
            Timer::PlaneLease | Timer::RenewStores | Timer::RenewPd => {}
        }
    }

    fn plane_lease_ended(&mut self, step: &mut Step) {
        self.lease.end();
        if self.phase.is_live() {
            let text = format!(
                "no renewal from the coordinator for {} s; {}",
                self.limits().plane_lease.0 / 1000,
                if self.linked { "a session is up" } else { "no session is up" }
            );
            self.abort_locally(Refusal::new(Reason::PlaneLeaseExpired, text), step);
        } else {
            self.drop_holds(step);
        }
    }

    fn store_lease_ended(&mut self, step: &mut Step) {
        let ended = self.holds.take_ended(step.now.at);
        let Some(named) = ended.first().filter(|_| self.phase.is_live()) else { return };
        let lease = self.limits().store_lease.0 / 1000;
        let text = format!("store {named} did not answer a renewal within its lease of {lease} s");
        self.abort_locally(Refusal::new(Reason::StoreHoldLost, text), step);
    }

    pub(super) fn store_leased(&mut self, store: StoreId, number: u64, valid: bool, step: &mut Step) {
        match self.holds.answered(store, number, valid, self.limits().store_lease) {
            Renewal::Stale | Renewal::Held => {}
            Renewal::Lapsed => {
                let text = format!("store {store} answered a renewal: the lease before it had ended");
                self.hold_ended(store, Refusal::new(Reason::StoreHoldLost, text), step);
            }
            Renewal::ConfirmationDue => self.renew_stores(Some(store), step),
            Renewal::Confirmed => self.store_confirmed(store, step),
        }
    }

    pub(super) fn store_broken(&mut self, store: StoreId, refusal: Refusal, step: &mut Step) {
        if self.phase == Phase::Suspending || self.holds.contains(store) {
            self.hold_ended(store, refusal, step);
        }
    }

    /// Before the confirmation it breaks the epoch; afterwards it ends nothing but itself.
    fn hold_ended(&mut self, store: StoreId, refusal: Refusal, step: &mut Step) {
        self.holds.remove(store);
        if self.phase.is_live() {
            self.abort_locally(refusal, step);
        }
    }

    /// Asks this store, or all, for a renewal.
    pub(super) fn renew_stores(&mut self, which: Option<StoreId>, step: &mut Step) {
        let number = self.next_number();
        let stores = self.holds.ask(number, step.now.at, which);
        if !stores.is_empty() {
            step.push(Effect::RenewStores { number, stores });
        }
    }

    pub(super) fn arm_pd(&mut self, now: Now) {
        self.timers.set(Timer::RenewPd, now.at + self.limits().pd_ttl.quarter());
    }

    /// Schedulers and TTL configs are comfort (`facts/pd-tikv.md` §5.7): a failed renewal is counted and tried again. A
    /// safe point that PD refuses before the evidence is saved means that GC may pass commitTs.
    pub(super) fn pd_renewed(&mut self, result: Result<Done, Refusal>, step: &mut Step) {
        match result {
            Ok(Done::PdRenewed) => {}
            Ok(_) => self.alarm("renewal of PD's holds ended with another's result", step),
            Err(refusal) => {
                self.pd.renewal_failed();
                if self.phase.is_live() && refusal.reason == Reason::SafePointRefused {
                    self.abort_locally(refusal, step);
                }
            }
        }
    }
}
