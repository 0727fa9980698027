//! Liveness as safety: from any state a fair continuation without faults ends every attempt and releases every hold.
//! All words under way are lost (or, on wish, arrive once), every plane connects anew, and from then on every word
//! arrives in order, all work ends well, and a timer runs out only when nothing else can happen.

use crate::{
    actions::Action,
    arbiter::Process,
    coordinator::HashedInput,
    facts::AttemptKey,
    kept::{Kept, key_of},
    plane::Ending,
    world::{Bounds, Budget, Message, World},
};
use shared::{
    barrier::{Milestone, Timer as Clock},
    member::{Timer, Work},
};
use std::{
    cell::RefCell,
    collections::{HashSet, VecDeque},
};

/// A good attempt of three planes takes about 150 steps; a bad one before it and its clean no more than that.
const STEPS: usize = 1_000;

const NOTHING: Budget =
    Budget { coordinator: 0, plane: 0, ledger: 0, answers: 0, troubles: 0, wishes: 0, renewals: 0, renews: 0 };

thread_local! {
    /// States already seen to heal. What is under way, what is true of the past and what may go wrong do not matter.
    static HEALED: RefCell<HashSet<u64>> = RefCell::default();
}

pub(crate) fn heals(bounds: &Bounds, world: &World) -> bool {
    let net = bounds.late.then_some(&world.net);
    let key =
        key_of(&(bounds, &world.coordinators, &world.claim, &world.arbiter, &world.planes, &world.truth.stores, net));
    if HEALED.with_borrow(|healed| healed.contains(&key)) {
        return true;
    }
    let healed = why_not(bounds, world, false).is_none() && (!bounds.late || why_not(bounds, world, true).is_none());
    if healed {
        HEALED.with_borrow_mut(|all| all.insert(key));
    }
    healed
}

/// What is still wrong at the end. `arrive`: what is under way arrives, once.
pub(crate) fn why_not(bounds: &Bounds, world: &World, arrive: bool) -> Option<String> {
    let mut world = world.clone();
    world.budget = NOTHING;
    (world.unanswered, world.deposed) = (false, None);
    world.planes.iter_mut().for_each(|plane| plane.unsaved = false);
    let mut queue: VecDeque<Kept<Message>> = VecDeque::new();
    let under_way: Vec<_> = world.net.drain(..).collect();
    if arrive {
        queue.extend(under_way);
    }
    for b in 0..world.coordinators.len() {
        world.coordinators[b].zombie = None;
        for p in 0..world.planes.len() {
            world.tell(Process::Present, b, &HashedInput::Down(p), None);
            world.tell(Process::Present, b, &HashedInput::Up(p), None);
        }
    }
    for _ in 0..STEPS {
        queue.extend(world.net.drain(..));
        if let Some(word) = queue.pop_front() {
            world.arrive(bounds, &word);
        } else if let Some(action) = world.next_good(bounds) {
            world.act(bounds, &action);
        } else {
            return world.unhealed(bounds);
        }
    }
    Some(format!("it goes on and on: {world:?}"))
}

impl World {
    /// What happens by itself, then the timer that everybody waits for.
    fn next_good(&self, bounds: &Bounds) -> Option<Action> {
        let claims = || {
            let timer = self.timers_of_claims(Process::Present).next()?;
            Some(Action::Arbitrate { by: Process::Present, timer })
        };
        self.next_local().or_else(claims).or_else(|| self.next_clock(bounds)).or_else(|| self.next_lease())
    }

    fn slots(&self) -> impl Iterator<Item = (usize, AttemptKey, &crate::world::Slot)> {
        self.planes.iter().enumerate().flat_map(|(plane, of)| of.slots.iter().map(move |(by, slot)| (plane, *by, slot)))
    }

    fn next_local(&self) -> Option<Action> {
        for (backup, of) in self.coordinators.iter().enumerate() {
            if let Some(answer) = of.run.as_ref().and_then(|run| run.mail.first()) {
                return Some(Action::good(backup, HashedInput::Claim(answer.clone())));
            }
        }
        self.slots().find_map(|(plane, of, slot)| {
            if slot.dropping > 0 {
                return Some(Action::HoldsDropped { plane, of });
            }
            if slot.answered.is_some() {
                return Some(Action::HearsRenewed { plane, of });
            }
            if slot.asked.is_some() && self.truth.stores[plane].stream == Some(of) {
                return Some(Action::Renewed { plane, of });
            }
            if self.stream_is_gone(plane, of) {
                return Some(Action::StreamGone { plane, of });
            }
            let held = self.truth.stores[plane].holder.is_some();
            let free = |work: &Work| !(held && matches!(work, Work::OpenHolds { .. }));
            let (number, _) = slot.works.iter().find(|(_, work)| free(work))?;
            Some(Action::End { plane, of, number: *number, ending: Ending::Well })
        })
    }

    /// Renewals come and change nothing: they are left out.
    fn next_clock(&self, bounds: &Bounds) -> Option<Action> {
        for (backup, of) in self.coordinators.iter().enumerate() {
            let may = |timer: &Clock| match timer {
                Clock::Renew => false,
                Clock::HoldsGone => self.holds_are_gone(backup),
                Clock::Retry => of.saved.attempt < bounds.attempts,
                _ => true,
            };
            if let Some(timer) = of.run.iter().flat_map(|run| run.machine.timers()).find(may) {
                return Some(Action::good(backup, HashedInput::Expired(timer)));
            }
        }
        None
    }

    fn next_lease(&self) -> Option<Action> {
        self.slots().find_map(|(plane, of, slot)| {
            let timer = slot.member.timers().find(|t| matches!(t, Timer::PlaneLease | Timer::StoreLease))?;
            Some(Action::Expire { plane, of, timer })
        })
    }

    fn unhealed(&self, bounds: &Bounds) -> Option<String> {
        for (b, of) in self.coordinators.iter().enumerate().filter(|(_, of)| of.run.is_some()) {
            if !self.is_over(b) {
                return Some(format!("backup {b} stands at {:?}: {:?}", of.saved.milestone, of.run));
            }
        }
        let ended = |milestone| matches!(milestone, Milestone::Failed | Milestone::Cleaned);
        let left = |(by, of): &(&AttemptKey, &crate::truth::OfAttempt)| {
            ended(self.coordinators[by.backup].saved.milestone) && of.taken & !of.deleted != 0
        };
        if let Some((by, of)) = self.truth.attempts.iter().find(left) {
            return Some(format!("snapshots of {by:?} are left: {of:?}"));
        }
        if self.claim.1.is_some() {
            return Some(format!("the claim is still held by {:?}", self.claim));
        }
        for p in 0..bounds.planes {
            if self.truth.stores[p].holder.is_some() {
                return Some(format!("store {p} is still held: {:?}", self.truth.stores[p]));
            }
        }
        let busy = |(_, _, slot): &(usize, AttemptKey, &crate::world::Slot)| {
            slot.member.timers().next().is_some() || slot.dropping > 0 || !slot.works.is_empty()
        };
        self.slots().find(busy).map(|(p, of, slot)| format!("plane {p} is busy with {of:?}: {slot:?}"))
    }
}
