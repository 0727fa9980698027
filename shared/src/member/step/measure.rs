//! How much snapshots added. It touches nothing, and whoever asks has the certificate.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        machine::Member,
    },
    wire::{Measure, Order},
};

impl Member {
    pub(in crate::member) fn measure(&mut self, epoch: Epoch, measure: Measure, step: &mut Step) {
        if self.keeps_evidence(epoch, step) {
            self.take(epoch, Order::Measure(measure.clone()), step);
            self.begin(Work::Measure(measure), step);
        }
    }
}
