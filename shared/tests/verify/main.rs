//! What findings come to, and which backup is due next.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod due;
mod judged;
