//! States that differ only in what can never matter again are made one.

use crate::{
    facts::Try,
    kept::Kept,
    plane::Said,
    truth::OfAttempt,
    world::{Bounds, Word, World},
};
use shared::{
    barrier::Stage,
    wire::{Answer, Order},
};

impl World {
    pub(crate) fn normalise(&mut self, bounds: &Bounds) {
        if bounds.attempts > 1 {
            self.forget(bounds.late);
        }
        for of in self.truth.attempts.values_mut().filter(|of| of.ended) {
            // What was seen on the way was judged on the way.
            *of = OfAttempt { broke: of.broke, ended: true, ..OfAttempt::default() };
        }
        if !bounds.late {
            let dead: Vec<u64> = self.net.iter().filter(|word| self.is_dead(word)).map(Kept::key).collect();
            self.net.retain(|word| !dead.contains(&word.key()));
        }
    }

    /// An attempt that is followed by another is over: its members remember nothing that the ledger does not, and its
    /// truth was judged. Its words may stay.
    fn forget(&mut self, late: bool) {
        let numbers: Vec<u32> = self.coordinators.iter().map(|c| c.saved.attempt).collect();
        let over = |by: &Try| by.number < numbers[by.backup];
        for plane in &mut self.planes {
            plane.slots.retain(|(by, slot)| {
                !over(by) || !slot.works.is_empty() || slot.letting_go > 0 || slot.member.timers().next().is_some()
            });
        }
        self.truth.attempts.retain(|by, _| !over(by));
        if !late {
            self.net.retain(|word| match &**word {
                Word::Down { to, .. } | Word::Outbid { to, .. } => !over(to),
                Word::Up { of, .. } => !over(of),
            });
        }
    }

    /// Epochs, steps of a barrier and stages of a member only go forward, a barrier never comes back to a step under
    /// holds, and a plane actor that cannot die any more keeps its members: a word without effect now stays so.
    fn is_dead(&self, word: &Kept<Word>) -> bool {
        match &**word {
            Word::Up { of, epoch, answer, .. } => {
                let older = *epoch < self.coordinators[of.backup].saved.epoch;
                let passes = match answer {
                    Answer::Prepared(_) => self.coordinators[of.backup].saved.stage != Stage::Preparing,
                    Answer::Reserved(_)
                    | Answer::Settled(_)
                    | Answer::Suspended(_)
                    | Answer::Covered(_)
                    | Answer::Snapshotted(_)
                    | Answer::Confirmed(_) => true,
                    _ => false,
                };
                (passes || older) && self.is_idle_word(of.backup, word)
            }
            Word::Down { plane, to, order, .. } => {
                let passes = match order {
                    Order::Prepare(_) => self.coordinators[to.backup].saved.stage != Stage::Preparing,
                    Order::Reserve
                    | Order::Settle(_)
                    | Order::Suspend
                    | Order::Cover(_)
                    | Order::Snapshot(_)
                    | Order::Confirm
                    | Order::Renew(_) => true,
                    _ => false,
                };
                self.purse.plane == 0 && passes && self.is_idle_order(*plane, *to, &Said::Ordered(word.clone()))
            }
            Word::Outbid { .. } => false,
        }
    }
}
