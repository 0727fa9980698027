//! The plane's machine, phase by phase: each test feeds inputs and compares the whole list of effects; `law` feeds
//! anything in any order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod after;
mod calls;
mod fixtures;
mod happy_path;
mod holds;
mod phases;
mod properties;
mod table;
