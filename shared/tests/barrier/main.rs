//! The coordinator's machine, phase by phase: each test feeds inputs and compares the whole list of effects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod blocked;
mod calls;
mod endings;
mod fixtures;
mod happy_path;
mod judged;
mod lost;
mod measuring;
mod moments;
mod recovery;
mod refusals;
mod retries;
mod room;
mod truth;
mod verified;
mod weaker;
