//! Liveness as safety: from any state, with the present process alone and without faults, whoever waits is granted.

use super::world::{Action, Phase, Two, UnderWay};
use crate::kept::key_of;
use shared::{claims::Claims, epoch::Epoch, machine::Machine};
use std::{cell::RefCell, collections::HashSet};

/// Two backups that wait, a claim to read and to judge: some 40 steps.
const STEPS: usize = 400;

thread_local! {
    static HEALED: RefCell<HashSet<u64>> = RefCell::default();
}

/// What is still wrong at the end.
pub(super) fn why_not(two: &Two) -> Option<String> {
    let mut two = two.clone();
    (two.processes[1 - two.present], two.epochs) = (None, Epoch(u64::MAX));
    let key = key_of(&(&two.processes, &two.claim, &two.records));
    if HEALED.with_borrow(|healed| healed.contains(&key)) {
        return None;
    }
    two.run();
    // A claim that another process left stays until somebody wants it: so somebody does.
    let p = two.present;
    for b in 0..2 {
        if two.processes[p].as_ref().is_some_and(|process| process.barriers[b].is_none()) {
            two.records[b].under_way = true;
            two.begin(p, b, false);
        }
    }
    two.run();
    let waits = two.processes[p].iter().flat_map(|process| &process.barriers).any(Option::is_some);
    let wrong = waits || two.claim.1.is_some() || two.broken.is_some() || !two.held_alone();
    if !wrong {
        HEALED.with_borrow_mut(|healed| healed.insert(key));
    }
    wrong.then(|| format!("{two:#?}"))
}

impl Two {
    fn run(&mut self) {
        for _ in 0..STEPS {
            if let Some(action) = self.next_good() {
                self.act(&action);
            } else if !self.wait() {
                break;
            }
        }
    }

    fn next_good(&self) -> Option<Action> {
        let p = self.present;
        let process = self.processes[p].as_ref()?;
        if let Some(doing) = process.doing.first() {
            let at = 0;
            return Some(match doing {
                UnderWay::Effect(_) => Action::Happen { p, at },
                UnderWay::Answer(_) => Action::Hear { p, at },
            });
        }
        (0..2).find_map(|b| match &process.barriers[b] {
            None => process.lost[b].then_some(Action::Again { p, b }),
            Some(barrier) if !barrier.mail.is_empty() => Some(Action::Mail { p, b }),
            Some(barrier) => match barrier.phase {
                Phase::Found | Phase::Preparing => Some(Action::Go { p, b }),
                Phase::Holds => Some(Action::End { p, b }),
                Phase::Asks => None,
            },
        })
    }

    /// Time passes to the next timer. False: there is none.
    fn wait(&mut self) -> bool {
        let p = self.present;
        let Some(process) = &mut self.processes[p] else { return false };
        let Some((at, timer)) = process.claims.deadline() else { return false };
        process.now = process.now.max(at);
        self.tell(p, Claims::expired(timer));
        true
    }
}
