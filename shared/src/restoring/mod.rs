//! Coordinator's half of a restore: what is asked of which plane, in which order, until the cluster runs on volumes of the backup, and
//! is proved to (`facts/restore.md` §6).
//!
//! ```text
//! Looking ─► Claiming ─► Confirming ─► Marking ─► Building ─► Warming ─► Placing ─► Starting ─► Meeting ─► Leading ─► Timing
//!                                                     │ a drill               │ undone until here
//!                                                     ▼                       ▼
//!                                                  Undoing ◄──────────────────┘
//! Timing ─► RollingBack ─► Checking ─► Unmarking ─► Restarting ─► Settling ─► Finishing ─► Complete
//! ```
//! Nothing here is under a clock that others wait for: every step has a limit, is saved before its orders are sent, and may be
//! ordered again as often as it takes. A process that takes over goes on with the step that the record names.

mod admit;
mod admitted;
mod answers;
mod certificate;
mod certify;
mod check;
mod ends;
mod input;
mod machine;
mod orders;
mod record;
mod request;
mod stage;
mod view;

pub use admitted::Admitted;
pub use certificate::{PlaneCertificate, RestoreCertificate, Verdict};
pub use input::{Effect, Input, Timer};
pub use machine::Restoring;
pub use record::{PlaneRecord, Record, Span};
pub use request::{Content, DrillLevel, RestoreCleanPolicy, RestoreLimits, RestoreMember, RestoreRequest, Warm};
pub use stage::{Part, Stage};
pub use view::{PlaneView, View};

/// One step of this machine, under way.
type Step = crate::machine::Step<Effect>;
