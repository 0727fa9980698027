//! Regions proved, by rounds.

use crate::{
    epoch::Epoch,
    member::{
        effect::{Step, Work},
        machine::Member,
        phase::Phase,
    },
    wire::{Answer, Cover, Covered, Order},
};

impl Member {
    /// A round above the last one is taken as well while that one runs.
    pub(in crate::member) fn cover(&mut self, epoch: Epoch, cover: Cover, step: &mut Step) {
        let again = matches!(self.phase, Phase::Covering | Phase::Covered) && cover.round > self.cover_round;
        let after = if again { self.phase } else { Phase::Suspended };
        if self.takes(after, epoch, Order::Cover(cover.clone()), step) {
            self.phase = Phase::Covering;
            self.cover_round = cover.round;
            let gc_hold = self.pd.gc_hold().unwrap_or_default();
            self.begin(Work::Cover { round: cover.round, name_missing: cover.name_missing, gc_hold }, step);
        }
    }

    pub(super) fn covered(&mut self, covered: Covered, step: &mut Step) {
        self.phase = Phase::Covered;
        self.cover = Some(covered.digest.clone());
        self.answer(Answer::Covered(covered), step);
    }
}
