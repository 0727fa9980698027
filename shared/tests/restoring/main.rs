//! The restore's two machines: whole ways, how they end otherwise, what the judge refuses, and every state of a small world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod endings;
mod fixtures;
mod happy;
mod judged;
mod plane;
