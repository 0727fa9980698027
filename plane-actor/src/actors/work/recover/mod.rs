//! The data phase of a restore: what is done with a cluster whose volumes are there and whose TiKV runs in recovery mode, until it is one
//! that anybody may use (`facts/restore.md` §3, §6.3). One file a step; each takes what it needs and says what it saw, so that whoever
//! restarted may order any of them anew (`facts/restore.md` §6.4).
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
pub use roll_back::{RollBack, roll_back};
pub use timestamps::timestamps;
pub use unmark::unmark;
pub use verify::{Check, verify};

use std::time::Duration;

/// Is told how far a step has come: done, of how many, and what goes on. Called from wherever the step runs.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Send + Sync);

/// Between two looks at what is waited for. PD hears of its stores every 10 s.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A number of things, for evidence.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
