//! The schedule machine: whole lists of effects for named situations, and laws over any inputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clock;
mod fixtures;
mod groups;
mod properties;
mod retain;
mod runs;
mod status;
