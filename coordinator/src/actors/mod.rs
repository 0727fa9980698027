//! The shell around the coordinator's machines.
//!
//! ```text
//! Source ──► CoordinatorActor ──► BarrierActor (one per backup; owns its machine, saves its record, publishes)
//! planes ──► PlaneSession ──────────┘   ▲
//! admins ──► CoordinatorActor           └── claims: CoordinatorActor alone writes them
//! ```

mod barrier;
mod claims;
mod coordinator;
mod messages;
mod publish;
mod session;
mod store;

pub use coordinator::CoordinatorActor;
pub use messages::{Ask, Knocked, Lead, ObjectSeen};
pub use store::{Stored, Writer};
