//! The coordinator's half of the barrier.
//!
//! ```text
//! Preparing ─► (claim) ─► Reserving ─► Settling ─► Suspending ─► Covering ─► Snapshotting ─► Confirming ─► Releasing ─► Completing ─► Complete
//!     │                        └────────────┴────────────┴───────────┴─ Abort ─► Aborting ─► Failed (or a new attempt)
//! ```
//! `Barrier::new(record)` is the start and the recovery alike; the record's milestone decides where it goes on.

// A phase, a timer or an answer that comes later has to be thought of in every place.
#![warn(clippy::wildcard_enum_match_arm)]

mod admission;
mod calls;
mod certificate;
mod certify;
mod check;
mod clocks;
mod common;
mod increments;
mod input;
mod machine;
mod moments;
mod phase;
mod record;
mod refusing;
mod size;
mod sizes;
mod step;
mod summary;
mod times;
mod verifying;
mod view;

pub use admission::would_admit;
pub use certificate::{Certificate, CertificatePlane, DirectoriesOn, Verdict};
pub use certify::certify;
pub use increments::Increments;
pub use input::{Effect, Input, Timer};
pub use machine::Barrier;
pub use moments::{Moments, StepMoments};
pub use phase::{LastRefusal, Phase};
pub use record::{Adopted, Claim, ClaimHolder, Milestone, PlaneRecord, Record};
pub use size::LEDGER_TEXT_MAX;
pub use sizes::{Size, full_size_of};
pub use summary::Summary;
pub use times::{BarrierTimes, Times};
pub use view::{Clock, PlaneView, View};
