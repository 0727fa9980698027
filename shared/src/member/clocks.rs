//! Holds and the clocks that end them. Renewals come from here alone, and only while the plane's own lease lives: a hung
//! coordinator cannot hold a store for ever.

use super::{
    effect::{Effect, Step, Work},
    holds::Confirmation,
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
use std::collections::BTreeSet;

impl Member {
    /// The plane's own lease from the coordinator: only a new number extends it, because a repeated one may be old.
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
        if self.last_renew.is_none_or(|last| renew.number > last) {
            self.last_renew = Some(renew.number);
            let length = self.ready.as_ref().map(|ready| ready.spec.limits.plane_lease);
            if let (true, Some(length)) = (self.timers.runs(Timer::PlaneLease), length) {
                self.timers.set(Timer::PlaneLease, step.now.at + length);
            }
        }
        self.send(epoch, Answer::Renewed(Renewed { number: renew.number }), step);
    }

    /// A timer that is not armed was overtaken by what ended it.
    pub(super) fn expired_timer(&mut self, timer: Timer, step: &mut Step) {
        match timer {
            Timer::PlaneLease if self.timers.runs(timer) => self.plane_lease_ended(step),
            Timer::StoreLease => self.store_lease_ended(step),
            Timer::RenewStores if self.timers.runs(timer) => {
                self.timers.set(timer, step.now.at + self.limits().store_lease.quarter());
                let all = self.holds.keys().copied().collect();
                self.renew_some(&all, step);
            }
            Timer::RenewPd if self.timers.runs(timer) => {
                self.arm_pd(step.now);
                if let (None, Some(gc_hold)) = (self.pd_work, self.gc_hold) {
                    let number = self.next_number();
                    self.pd_work = Some(number);
                    let (service, ttl) = (self.service(), self.limits().safe_point_ttl());
                    step.push(Effect::Work { number, work: Work::RenewPd { service, ttl, gc_hold } });
                }
            }
            Timer::PlaneLease | Timer::RenewStores | Timer::RenewPd => {}
        }
    }

    fn plane_lease_ended(&mut self, step: &mut Step) {
        self.timers.stop(Timer::PlaneLease);
        if self.phase.is_live() {
            let text = format!(
                "no renewal from the coordinator for {} s; {}",
                self.limits().plane_lease.0 / 1000,
                if self.linked { "a session is up" } else { "no session is up" }
            );
            self.break_off(Refusal::new(Reason::PlaneLeaseExpired, text), step);
        } else {
            self.drop_holds(step);
        }
    }

    /// Every store whose lease has ended for all we know; at least the one that the timer was armed for.
    fn store_lease_ended(&mut self, step: &mut Step) {
        let Some(first) = self.holds.values().map(|hold| hold.until).min() else { return };
        let ended: Vec<StoreId> = self
            .holds
            .iter()
            .filter(|(_, hold)| hold.until <= step.now.at.max(first))
            .map(|(store, _)| *store)
            .collect();
        let Some(named) = ended.first().copied() else { return };
        for store in ended {
            self.holds.remove(&store);
        }
        if self.phase.is_live() {
            let text = format!(
                "store {named} did not answer a renewal within its lease of {} s",
                self.limits().store_lease.0 / 1000
            );
            self.break_off(Refusal::new(Reason::StoreHoldLost, text), step);
        }
    }

    pub(super) fn store_leased(&mut self, store: StoreId, number: u64, valid: bool, step: &mut Step) {
        let lease = self.limits().store_lease;
        let Some(hold) = self.holds.get_mut(&store) else { return };
        let Some((_, asked_at)) = hold.asked.filter(|(asked, _)| *asked == number) else { return };
        if !valid {
            let text = format!("store {store} answered a renewal: the lease before it had ended");
            self.hold_ended(store, Refusal::new(Reason::StoreHoldLost, text), step);
            return;
        }
        hold.asked = None;
        hold.valid += 1;
        hold.until = asked_at + lease;
        if hold.confirmation == Confirmation::Due {
            self.renew_some(&BTreeSet::from([store]), step);
        } else if hold.confirmation == Confirmation::Asked(number) {
            self.store_confirmed(store, step);
        }
    }

    pub(super) fn store_broken(&mut self, store: StoreId, refusal: Refusal, step: &mut Step) {
        if self.phase == Phase::Suspending || self.holds.contains_key(&store) {
            self.hold_ended(store, refusal, step);
        }
    }

    /// Before the confirmation it breaks the epoch; afterwards it ends nothing but itself.
    fn hold_ended(&mut self, store: StoreId, refusal: Refusal, step: &mut Step) {
        self.holds.remove(&store);
        if self.phase.is_live() {
            self.break_off(refusal, step);
        }
    }

    /// Asks these stores for a renewal; who still owes an earlier answer is left out.
    pub(super) fn renew_some(&mut self, stores: &BTreeSet<StoreId>, step: &mut Step) {
        let number = self.next_number();
        let mut asked = BTreeSet::new();
        for store in stores {
            let Some(hold) = self.holds.get_mut(store).filter(|hold| hold.asked.is_none()) else { continue };
            hold.asked = Some((number, step.now.at));
            hold.sent += 1;
            if hold.confirmation == Confirmation::Due {
                hold.confirmation = Confirmation::Asked(number);
            }
            asked.insert(*store);
        }
        if !asked.is_empty() {
            step.push(Effect::RenewStores { number, stores: asked });
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
                self.pd_failures = self.pd_failures.saturating_add(1);
                if self.phase.is_live() && refusal.reason == Reason::SafePointRefused {
                    self.break_off(refusal, step);
                }
            }
        }
    }
}
