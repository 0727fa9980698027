//! States that differ only in what can never matter again are made one.

use crate::{
    arbiter::{Arbiter, Process},
    facts::{AttemptKey, uid},
    kept::Kept,
    member::Said,
    truth::OfAttempt,
    world::{Bounds, Message, World},
};
use shared::{
    barrier::{Milestone, Record},
    claims,
    time::Timestamp,
    wire::{Answer, Order},
};

impl World {
    pub(crate) fn normalise(&mut self, bounds: &Bounds) {
        self.forget(bounds.late);
        let idle = |arbiter: &mut Arbiter| arbiter.machine.timers().next().is_none();
        if self.coordinators.iter().all(|of| of.zombie.is_none()) {
            // Nobody will tell it anything any more.
            self.deposed.take_if(idle);
        }
        for of in self.truth.attempts.values_mut().filter(|of| of.ended && !bounds.zombies) {
            // What was seen on the way was judged on the way. (A zombie may still be on its way.)
            *of = OfAttempt {
                broke: of.broke,
                taken: of.taken,
                deleted: of.deleted,
                ended: true,
                ..OfAttempt::default()
            };
        }
        let dead: Vec<u64> = self.net.iter().filter(|word| self.is_dead(word)).map(Kept::key).collect();
        self.net.retain(|word| !dead.contains(&word.key()));
    }

    /// A backup that has come to its end when another is made: nobody asks for it any more, and it takes no part.
    pub(crate) fn lay_to_rest(&mut self, b: usize) {
        let of = &mut self.coordinators[b];
        let mut record = Record::new(of.saved.request.clone(), Timestamp(0));
        (record.milestone, record.attempt, record.epoch) = (of.saved.milestone, of.saved.attempt, of.saved.epoch);
        (of.run, of.saved, of.rests, of.zombie) = (None, Kept::new(record), true, None);
        for by in Process::BOTH {
            self.arbitrate(by, claims::Input::BarrierEnded { backup: uid(b), deleted: false });
        }
    }

    /// An attempt that is followed by another is over: its members remember nothing that the ledger does not, and its
    /// truth was judged. Its words may stay.
    fn forget(&mut self, late: bool) {
        let current: Vec<_> = self.coordinators.iter().map(|c| (c.saved.attempt, c.rests)).collect();
        let over = |by: &AttemptKey| by.number < current[by.backup].0 || current[by.backup].1;
        for plane in &mut self.planes {
            plane.slots.retain(|(by, slot)| {
                !over(by) || !slot.works.is_empty() || slot.dropping > 0 || slot.member.timers().next().is_some()
            });
        }
        self.truth.attempts.retain(|by, _| !over(by));
        if !late {
            self.net.retain(|word| match &**word {
                Message::Down { to, .. } | Message::Superseded { to, .. } => !over(to),
                Message::Up { of, .. } => !over(of),
            });
        }
    }

    /// Epochs, steps of a barrier and stages of a member only go forward, a barrier never comes back to a step under
    /// holds, and a plane actor that can neither die nor fail to save any more keeps its members: a word without effect now stays so.
    fn is_dead(&self, word: &Kept<Message>) -> bool {
        match &**word {
            Message::Up { of, epoch, answer, .. } => {
                let older = *epoch < self.coordinators[of.backup].saved.epoch;
                let passes = match answer {
                    Answer::Prepared(_) => self.coordinators[of.backup].saved.milestone != Milestone::Preparing,
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
            Message::Down { plane, to, order, .. } => {
                let passes = match order {
                    Order::Prepare(_) => self.coordinators[to.backup].saved.milestone != Milestone::Preparing,
                    Order::Reserve
                    | Order::Settle(_)
                    | Order::Suspend
                    | Order::Cover(_)
                    | Order::Snapshot(_)
                    | Order::Confirm
                    | Order::Renew(_) => true,
                    _ => false,
                };
                let keeps_members = self.budget.plane == 0 && self.budget.ledger == 0 && !self.planes[*plane].unsaved;
                keeps_members && passes && self.is_idle_order(*plane, *to, &Said::Ordered(word.clone()))
            }
            Message::Superseded { .. } => false,
        }
    }
}
