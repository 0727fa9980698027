//! The shell around the coordinator's machines.
//!
//! ```text
//! Source ──► CoordinatorActor ──► BarrierActor (one per backup that is not over; owns its machine, saves its record, publishes)
//! planes ──► PlaneSession ──────────┘   ▲
//! admins ──► CoordinatorActor           └── claims: CoordinatorActor alone writes them
//!
//! Schedules ─┐
//! Source ────┴─► ScheduleActor (owns the one scheduler; makes and deletes VolumeBackups, writes schedules' status)
//! ```

mod barrier;
mod channels;
mod claims;
mod coordinator;
mod counted;
mod few;
mod messages;
mod outcomes;
mod planes;
mod publish;
mod restore;
mod restore_publish;
mod schedule;
mod session;
mod store;

pub use coordinator::{CoordinatorActor, RestoreSeen, Wished};
pub use messages::{AbortAll, Ask, Drain, Known, ObjectSeen, PlaneConnecting, StartLeading};
pub use outcomes::Outcomes;
pub use planes::Allowed;
pub use schedule::{AskSchedules, BeginNothing, LedgerKnown, ScheduleActor, ScheduleSeen};
pub use store::{Stored, Writer};
