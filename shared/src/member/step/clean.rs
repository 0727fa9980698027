//! Deleting what an attempt, or a whole backup, left.

use super::settle::safe_point_service;
use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        machine::Member,
        phase::Phase,
    },
    wire::{Answer, Clean, CleanReport, CleanScope, Cleaned, Order},
};

impl Member {
    pub(in crate::member) fn clean(&mut self, epoch: Epoch, clean: Clean, step: &mut Step) {
        if clean.scope == CleanScope::Surplus {
            if !self.keeps_evidence(epoch, step) {
                return;
            }
        } else if matches!(self.phase, Phase::Idle | Phase::Broken) {
            self.cancel_work(step);
        } else {
            // Evidence must not outlive the snapshots that it names.
            self.mark_broken(None, step);
        }
        self.take(epoch, Order::Clean(clean.clone()), step);
        // Of an attempt that failed, nobody has seen the snapshots in EC2. A whole backup was Complete: EC2 has shown them
        // all. Before an epoch is known nothing was called for.
        if clean.scope == CleanScope::Attempt && epoch > Epoch::NONE {
            self.calls.doubt();
        }
        let service = safe_point_service(&self.attempt, epoch);
        self.begin(Work::Clean { order: clean, service, calls: self.calls.made() }, step);
    }

    /// What left something over is done again when it is asked for again.
    pub(super) fn cleaned(&mut self, report: CleanReport, step: &mut Step) {
        let is_over = report.left.is_empty();
        self.answer(Answer::Cleaned(Cleaned { report }), step);
        if !is_over {
            self.last = None;
        }
    }
}
