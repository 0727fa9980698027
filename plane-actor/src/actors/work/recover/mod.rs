//! The data phase of a restore: what is done with a cluster whose volumes are there and whose TiKV runs in recovery mode, until it is one
//! that anybody may use (`facts/restore.md` §3). One file a step; each takes what it needs and says what it saw, so that whoever
//! restarted may order any of them anew.
//!
//! ```text
//! mark ──► (stores start) ──► meet ──► lead ──► timestamps ──► roll_back ──► verify ──► unmark ──► (stores restart) ──► normal
//! ```
//! Nothing here decides what comes next, and nothing is kept between two steps: leaders and flashbacks are in the stores, the mark in PD.

mod cluster;
#[cfg(test)]
mod fixtures;
mod ids;
mod keep;
mod lead;
mod look;
mod mark;
mod meet;
mod normal;
mod progress;
mod prove;
mod roll_back;
mod timestamps;
mod unmark;
mod verify;

pub use cluster::RestoredCluster;
pub use keep::{Keep, keep};
pub use lead::{Lead, Leaders, lead};
pub use mark::{Mark, mark};
pub use meet::{Meet, meet};
pub use normal::{Settle, normal};
pub use progress::Progress;
pub use roll_back::{RollBack, roll_back};
pub use timestamps::timestamps;
pub use unmark::unmark;
pub use verify::{Check, verify};
