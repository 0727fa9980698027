//! The plane's machine, phase by phase: each test feeds inputs and compares the whole list of effects; `law` feeds
//! anything in any order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod after;
mod calls;
mod holds;
mod kit;
mod law;
mod path;
mod phases;
mod table;
