//! Who may run an attempt on which TiDB cluster: one live attempt per TiDB cluster (I7), each under an epoch above all
//! before it (I1). The right is durable, an object in the ledger that is written by compare-and-set; this machine says
//! when it is written, to whom it is granted, who waits for it in which order, and when one that nobody uses is ended.
//!
//! ```text
//!   Wanted ──► Save ──► Saved ──► Tell Granted      a barrier asks, and gets a new epoch
//!         └──► Tell Taken, and a place in the queue  somebody else has it
//!   GivenBack ─► Save ─► Saved ──► Tell Free         to the first of the queue: it prepares anew and asks again
//!   NotSaved, Doubted ──► Read ──► ReadHolder        what is stored is not known: nothing is granted until it is
//! ```
//! Several processes may believe for a while that they lead. Each has a machine of its own; the ledger's compare-and-set
//! is all that they share.

mod check;
mod entry;
mod epochs;
mod input;
mod machine;
mod queue;
mod standing;

pub use epochs::LEAP;
pub use input::{Answer, Effect, Input, Timer, Want};
pub use machine::Claims;
pub use standing::{HolderRecord, Standing};
