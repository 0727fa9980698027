//! The plane's half of the barrier, as one pure machine per attempt.
//!
//! ```text
//!  orders ──► orders.rs ──► Work(number, …) ──► Done(number, …) ──► holding / confirming ──► Send(answer)
//!  store leases, clocks ──► holding.rs ─── a hold that ends before `Confirmed` ──► ending.rs: Save(Broken), LetGo, Aborted
//! ```
//! The coordinator's half knows this one only through [`crate::wire`].

mod confirming;
pub mod coverage;
mod effect;
mod ending;
mod holding;
mod input;
mod ledger;
mod machine;
mod orders;
mod state;
mod view;

pub use effect::{Effect, Work};
pub use input::{Done, Input, ReadBack, Timer};
pub use ledger::{AttemptRecord, AttemptState, MAX_ATTEMPTS_KEPT, MemberLedger};
pub use machine::Member;
pub use state::Phase;
pub use view::View;
