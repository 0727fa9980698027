//! The plane's half of the barrier, as one pure machine per attempt.
//!
//! ```text
//!  orders ──► orders.rs ──► step/ ──► Work(number, …) ──► Done(number, …) ──► step/ ──► Send(answer)
//!  store leases, clocks ──► clocks.rs ─── a hold that ends before `Confirmed` ──► step/abort.rs: Save(Broken), DropHolds, Aborted
//! ```
//! The coordinator's half knows this one only through [`crate::wire`].

// A phase, an order or a result that comes later has to be thought of in every place.
#![warn(clippy::wildcard_enum_match_arm)]

mod calls;
mod check;
mod clocks;
pub mod coverage;
mod effect;
mod holds;
mod input;
mod ledger;
mod machine;
mod orders;
mod pd_holds;
mod phase;
mod plane_lease;
pub mod safe_times;
mod step;
mod view;

pub use calls::{CallsMade, SnapshotCalls};
pub use effect::{Effect, Work};
pub use input::{Done, Input, ReadBack, Timer};
pub use ledger::{AttemptRecord, AttemptState, MAX_ATTEMPTS_KEPT, MemberLedger};
pub use machine::Member;
pub use phase::Phase;
pub use view::View;
