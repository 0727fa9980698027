//! Plane's half of a restore: which orders it obeys, what of them it remembers over its own death, and what it repeats. The work
//! itself is done outside; it finds by itself what is there already, so that an order may come as often as it likes.
//!
//! ```text
//! order ─► is it of this time? ─► Save (what cannot be taken back) ─► Work ─► answer, repeated word for word
//! ```

mod input;
mod ledger;
mod machine;

pub use input::{Done, Effect, Input, Work};
pub use ledger::{MAX_RESTORES_KEPT, Reached, RestoreEntry, RestoreLedger};
pub use machine::{Restorer, Standing};
