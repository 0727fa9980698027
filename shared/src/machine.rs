//! What a machine is to the shell that runs it: inputs in, effects out, one deadline with its name.
//!
//! ```text
//!              now, input                      effects, in order
//!   shell ───────────────────► Machine::step ───────────────────► shell carries them out
//!     ▲                                                             │
//!     └──────── Expired(timer), once `deadline()` is reached ◄──────┘
//! ```
//! The shell promises (`design.md` §3, "The machine"):
//! - `step` is called by the driver only, one input at a time, with a `now` that never goes back;
//! - a deadline that is reached is fed as `expired(timer)` *before* any other input, so that a busy mailbox cannot
//!   starve a timer;
//! - effects are carried out in the order of the list; a fence (`Save`) is finished before the effect after it begins,
//!   and when a fence fails, the rest of the list is not carried out and the machine is not used again.

use crate::time::{Instant, Now};
use std::fmt::Debug;

/// A pure state machine: no clock, no I/O, no randomness. `step` is total: no input makes it panic.
pub trait Machine {
    /// What it is told: messages, results of effects, expired timers. Input of an attempt carries its epoch.
    type Input: Debug;
    /// What it wants done, as data.
    type Effect: Debug;
    /// Names of its timers, so that a wake-up says why, and a model checker without a clock can fire one.
    type Timer: Copy + Debug;

    /// Takes one input and says what is to be done, in order.
    fn step(&mut self, now: Now, input: Self::Input) -> Vec<Self::Effect>;

    /// The next timer and when it is due; `None`: nothing to wait for. After `step(expired(timer))` at or after this
    /// moment, the same timer must not be due at the same moment again.
    fn deadline(&self) -> Option<(Instant, Self::Timer)>;

    /// The input that says that a timer is due.
    fn expired(timer: Self::Timer) -> Self::Input;
}

/// One step under way: when it happens, and what it has come to want.
#[derive(Debug)]
pub struct Step<E> {
    /// The moment of the input; a step takes no time.
    pub now: Now,
    /// In order.
    pub out: Vec<E>,
}

impl<E> Step<E> {
    /// Nothing is wanted yet.
    pub fn new(now: Now) -> Self {
        Self { now, out: Vec::new() }
    }

    /// Wants one thing more, after all others.
    pub fn push(&mut self, effect: E) {
        self.out.push(effect);
    }
}
