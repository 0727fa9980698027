//! The arbiter of claims: whole lists of effects for named situations, and laws over two processes and one ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixtures;
mod granting;
mod ledger;
mod standing;
mod two;
mod waiting;
