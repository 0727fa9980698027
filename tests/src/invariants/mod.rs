//! The invariants of `design.md` §4, one checker file each, as far as they can be seen from outside: from what is written
//! to the ledger, from frames at the moment they are sent, and from the world's own memory. No checker asks a machine what
//! it believes.
//!
//! | | File | Sees |
//! |---|---|---|
//! | I1 | `ledger_goes_forward` | records only move forward, claims only grow |
//! | I2 | `stored_before_sent` | what is sent is backed by what is stored |
//! | I3 | `epochs_grow` | planes' epochs only grow, broken attempts stay broken |
//! | I4 | `one_commit_ts` | one commitTs, after every `Covered`, before any snapshot |
//! | I5 | `certificates_hold` | every certificate, judged by oracle and bank; what Complete promises lies in S3 |
//! | I6 | `holds_end` | no hold outlives its bound |
//! | I7 | `one_live_attempt` | one live attempt per TiDB cluster |
//! | I8 | `kept_stays` | nothing kept is deleted unless its own object was, by a user; nothing kept is out of reach |
//! | I9 | `what_is_told` | what is not consistent is told; what is told to be Complete has its own certificate |
//! | I10 | `snapshots_are_found` | every snapshot can be found by its tags, and what nobody keeps goes |

mod certificates_hold;
mod checker;
mod epochs_grow;
mod holds_end;
mod kept_stays;
mod ledger_goes_forward;
mod one_commit_ts;
mod one_live_attempt;
mod retired;
mod snapshots_are_found;
mod stored_before_sent;
mod what_is_told;

pub use retired::wrongly_retired;

use checker::Checker;
pub use checker::{Books, End, Entry, Frame, Look, Message, Write, certified};

use crate::rig::Way;
use shared::wire::{Down, Up};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `I1` to `I10`, or a liveness property.
    pub invariant: &'static str,
    /// What was seen.
    pub text: String,
}

/// All of them.
pub struct Invariants {
    checkers: Vec<Box<dyn Checker>>,
}

impl Default for Invariants {
    fn default() -> Self {
        Self {
            checkers: vec![
                Box::new(ledger_goes_forward::Forward),
                Box::new(stored_before_sent::Stored),
                Box::<epochs_grow::Epochs>::default(),
                Box::<one_commit_ts::CommitTs>::default(),
                Box::<certificates_hold::Certificates>::default(),
                Box::<holds_end::Holds>::default(),
                Box::<one_live_attempt::OneLive>::default(),
                Box::<kept_stays::KeptStays>::default(),
                Box::new(what_is_told::WhatIsTold),
                Box::<snapshots_are_found::Found>::default(),
            ],
        }
    }
}

impl Invariants {
    fn each(&mut self, mut ask: impl FnMut(&mut dyn Checker) -> Vec<String>) -> Vec<Violation> {
        let mut broken = Vec::new();
        for checker in &mut self.checkers {
            let invariant = checker.name();
            broken.extend(ask(checker.as_mut()).into_iter().map(|text| Violation { invariant, text }));
        }
        broken
    }

    /// Something was written to the ledger.
    pub fn write(&mut self, write: &Write<'_>) -> Vec<Violation> {
        self.each(|checker| checker.write(write))
    }

    /// A frame is sent.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Vec<Violation> {
        self.each(|checker| checker.frame(frame))
    }

    /// Time has passed.
    pub fn look(&mut self, look: &Look<'_>) -> Vec<Violation> {
        self.each(|checker| checker.look(look))
    }

    /// Everything has ended.
    pub fn end(&mut self, end: &End<'_>) -> Vec<Violation> {
        self.each(|checker| checker.end(end))
    }
}

/// Reads a frame.
pub fn parse_frame(way: Way, bytes: &[u8]) -> Option<Result<Down, Up>> {
    match way {
        Way::Down => shared::wire::decode(bytes).ok().map(Ok),
        Way::Up => shared::wire::decode(bytes).ok().map(Err),
    }
}
