//! The arbiters of claims, one in each process of the coordinator, and the one claim in the ledger that they share. It is
//! saved by compare-and-set: who has not seen what the other saved is refused.

use crate::{
    facts::{AttemptKey, CLUSTER, backup_of, stored_claim},
    kept::{Kept, Stepped, Steps, key_of, step},
    truth::Broken,
    world::World,
};
use shared::{
    barrier::Claim,
    claims::{Claims, Effect, HolderRecord, Input, Standing, Timer},
    machine::Machine,
    time::Now,
};
use std::collections::VecDeque;

thread_local! {
    static STEPS: Steps<Claims, Effect> = Steps::default();
}

/// A process that leads, or believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Present,
    /// The one before, which does not know that it is followed.
    Deposed,
}

impl Process {
    pub(crate) const BOTH: [Self; 2] = [Self::Present, Self::Deposed];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Present => Self::Deposed,
            Self::Deposed => Self::Present,
        }
    }
}

/// The arbiter of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arbiter {
    pub(crate) machine: Kept<Claims>,
    /// The other process has saved the claim since this one read or saved it.
    pub(crate) stale: bool,
}

impl Default for Arbiter {
    fn default() -> Self {
        Self { machine: Kept::new(Claims::default()), stale: false }
    }
}

impl World {
    pub(crate) fn arbiter(&self, by: Process) -> Option<&Arbiter> {
        match by {
            Process::Present => Some(&self.arbiter),
            Process::Deposed => self.deposed.as_ref(),
        }
    }

    fn arbiter_mut(&mut self, by: Process) -> Option<&mut Arbiter> {
        match by {
            Process::Present => Some(&mut self.arbiter),
            Process::Deposed => self.deposed.as_mut(),
        }
    }

    /// A process begins to lead: what the ledger holds is read before any barrier begins.
    pub(crate) fn new_arbiter(&mut self) {
        self.arbiter = Arbiter::default();
        if let Some(claim) = self.stored_claim() {
            self.arbitrate(Process::Present, Input::Read { cluster: CLUSTER, claim: Some(claim) });
        }
    }

    fn stored_claim(&self) -> Option<Claim> {
        stored_claim(self.claim.0, self.claim.1)
    }

    /// Tells an arbiter something and carries out at once what it wants. Barriers hear of it later: by mail.
    pub(crate) fn arbitrate(&mut self, by: Process, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(arbiter) = self.arbiter_mut(by) else { return };
            let (next, effects) = look(&arbiter.machine, &input);
            arbiter.machine = next;
            for effect in effects.iter() {
                inputs.extend(self.carry_out_claim(by, effect));
            }
        }
    }

    fn carry_out_claim(&mut self, by: Process, effect: &Effect) -> Option<Input> {
        Some(match effect {
            Effect::Save(claim) => return self.save_claim(by, claim),
            Effect::Read(cluster) => {
                if let Some(arbiter) = self.arbiter_mut(by) {
                    arbiter.stale = false;
                }
                Input::Read { cluster: *cluster, claim: self.stored_claim() }
            }
            Effect::ReadHolder { cluster, epoch, backup } => {
                let b = backup_of(backup);
                let of = &self.coordinators[b];
                let ours = self.run(by, b).is_some_and(|run| !run.stale);
                let read = HolderRecord::Read { standing: Standing::of(&of.saved), ours };
                let record = if of.gone { HolderRecord::Absent } else { read };
                Input::HolderRead { cluster: *cluster, epoch: *epoch, backup: backup.clone(), record }
            }
            Effect::List => {
                let live = self.stored_claim().and_then(|claim| claim.live);
                Input::Listed(live.map(|live| (CLUSTER, live.backup)).into_iter().collect())
            }
            Effect::Tell(backup, answer) => match self.run_mut(by, backup_of(backup)) {
                Some(run) => {
                    run.mail.push(answer.clone());
                    return None;
                }
                None => Input::NotTold(backup.clone()),
            },
        })
    }

    fn save_claim(&mut self, by: Process, claim: &Claim) -> Option<Input> {
        let not_saved = |error: &str| Some(Input::NotSaved { cluster: CLUSTER, error: error.to_owned() });
        if self.arbiter(by)?.stale {
            return not_saved("conflict");
        }
        let live = claim.live.as_ref().map(|live| AttemptKey { backup: backup_of(&live.backup), number: live.attempt });
        // I1, of the claim: an epoch that was granted once is granted never again, and nobody is granted what another has.
        let grows = if live.is_some() { claim.epoch > self.claim.0 } else { claim.epoch == self.claim.0 };
        let alone = live.zip(self.claim.1).is_none_or(|(new, old)| new.backup == old.backup);
        self.truth.demand(grows && alone, Broken::GrantedTwice);
        self.claim = (claim.epoch, live);
        if let Some(other) = self.arbiter_mut(by.other()) {
            other.stale = true;
        }
        if self.unanswered {
            self.unanswered = false;
            self.arbiter_mut(by)?.stale = true;
            return not_saved("no answer");
        }
        Some(Input::Saved(CLUSTER))
    }

    /// Timers of an arbiter that would do something. (It looks again and again at what it may not touch yet.)
    pub(crate) fn timers_of_claims(&self, by: Process) -> impl Iterator<Item = Timer> {
        let timers: Vec<Timer> = self.arbiter(by).iter().flat_map(|arbiter| arbiter.machine.timers()).collect();
        timers.into_iter().filter(move |timer| {
            let mut next = self.clone();
            next.arbitrate(by, Input::Expired(*timer));
            next != *self
        })
    }
}

fn look(machine: &Kept<Claims>, input: &Input) -> Stepped<Claims, Effect> {
    step(&STEPS, machine, key_of(input), |machine| machine.step(Now::default(), input.clone()))
}
