//! The invariants of DESIGN §4, one checker file each, as far as they can be seen from outside: from what is written to
//! the ledger, from frames at the moment they are sent, and from the world's own memory. No checker asks a machine what it
//! believes.
//!
//! | File | Sees |
//! |---|---|
//! | `i1` | records only move forward, claims only grow |
//! | `i2` | what is sent is backed by what is stored |
//! | `i3` | planes' epochs only grow, broken attempts stay broken |
//! | `i4` | one commitTs, after every `Covered`, before any snapshot |
//! | `i5` | every certificate, judged by oracle and bank; what Complete promises lies in S3 |
//! | `i6` | no hold outlives its bound |
//! | `i7` | one live attempt per TiDB cluster |
//! | `i8` | nothing kept is deleted unless its own object was, by a user; nothing kept is out of reach |
//! | `i9` | what is not consistent is told; what is told to be Complete has its own certificate |
//! | `i10` | every snapshot can be found by its tags, and what nobody keeps goes |

mod checker;
mod i1;
mod i10;
mod i2;
mod i3;
mod i4;
mod i5;
mod i6;
mod i7;
mod i8;
mod i9;
mod retired;

pub use retired::wrongly_retired;

use checker::Checker;
pub use checker::{Books, End, Entry, Frame, Look, Message, Write, certified};

use crate::stage::Way;
use coordinator::actors::Stored;
use shared::{
    barrier::{Claim, Record},
    wire::{Down, Up},
};

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
                Box::new(i1::Forward),
                Box::new(i2::Stored),
                Box::<i3::Epochs>::default(),
                Box::<i4::CommitTs>::default(),
                Box::new(i5::Certificates),
                Box::<i6::Holds>::default(),
                Box::<i7::OneLive>::default(),
                Box::<i8::Kept>::default(),
                Box::new(i9::Told),
                Box::<i10::Found>::default(),
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

/// Reads a ledger object's text. `None`: it is no record.
pub fn parse_record(text: &str) -> Option<Record> {
    Stored::<Record>::parse(text).ok().map(|stored| stored.body)
}

/// Reads a ledger object's text. `None`: it is no claim.
pub fn parse_claim(text: &str) -> Option<Claim> {
    Stored::<Claim>::parse(text).ok().map(|stored| stored.body)
}

/// Reads a frame.
pub fn parse_frame(way: Way, bytes: &[u8]) -> Option<Result<Down, Up>> {
    match way {
        Way::Down => shared::wire::decode(bytes).ok().map(Ok),
        Way::Up => shared::wire::decode(bytes).ok().map(Err),
    }
}
