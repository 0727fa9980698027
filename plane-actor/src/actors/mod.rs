//! The shell around the plane's machines. Actors know ports, never edges; they stay thin.
//!
//! ```text
//! session (one task) ──► PlaneActor ──► MemberActor per attempt ──► work/* (futures over ports)
//!        ▲                                   │     ▲
//!        └────────── uplink ◄────────────────┘     └── holds (a renewal task per store)
//! ```

mod bucket;
mod diagnosing;
mod holds;
mod inspecting;
mod itself;
mod known_restores;
mod ledger;
mod member;
mod messages;
mod obstacle;
mod parts;
mod plane;
mod plane_context;
mod restorer;
mod restores;
mod session;
mod stuck;
mod taken;
mod uplink;
pub(crate) mod work;

pub(crate) use messages::End;
pub(crate) use plane::FINISH;
pub use plane::PlaneActor;
pub use plane_context::PlaneContext;
pub(crate) use session::keep_linked;
pub use work::build;
pub(crate) use work::preflight;
pub use work::recover;
