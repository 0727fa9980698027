//! Snapshots on their way to S3, metadata written; deleting.

use super::settle::safe_point_service;
use crate::{
    epoch::Epoch,
    member::{
        effect::{Effect, Work},
        machine::Member,
        phase::Phase,
    },
    reason::Reason,
    wire::{CleanScope, Order},
};

impl Member {
    /// `Complete` and `Clean` go by backup and attempt, not by phase; they only must not contradict what is saved.
    pub(in crate::member) fn afterwards(&mut self, epoch: Epoch, order: Order, effects: &mut Vec<Effect>) {
        let keeps = match &order {
            Order::Clean(clean) => clean.scope == CleanScope::Surplus,
            _ => true,
        };
        if keeps && !matches!(self.phase, Phase::Idle | Phase::Confirmed | Phase::Released) {
            let text = format!("this attempt stands at {:?} here, it has no evidence", self.phase);
            self.refuse(epoch, Reason::EvidenceBroken, text, effects);
            return;
        }
        if keeps {
            self.cancel_work(effects);
            self.let_go(effects);
            if self.phase == Phase::Confirmed {
                self.phase = Phase::Released;
            }
        } else if matches!(self.phase, Phase::Idle | Phase::Broken) {
            self.cancel_work(effects);
        } else {
            // Evidence must not outlive the snapshots that it names.
            self.give_up(None, effects);
        }
        self.last = None;
        self.current = Some((epoch, order.clone()));
        match order {
            Order::Complete(complete) => self.begin(Work::Complete(complete), effects),
            Order::Clean(order) => {
                let service = safe_point_service(&self.attempt, epoch);
                self.begin(Work::Clean { order, service }, effects);
            }
            _ => self.current = None,
        }
    }
}
