//! What a TiKV process answers to whoever holds it: its lease, its suspended imports, WaitApply, the resolved ts that it
//! reports (`facts/pd-tikv.md` §1.13, §2, §6.2). Storage and raft are the callers' own.

mod imports;
mod lease;
mod wait_apply;

pub use imports::{Imports, TooLong};
pub use lease::Lease;
pub use wait_apply::{Answer, Asked, Target};

use shared::ts::Ts;

/// What TiKV reports to PD of all its peers: the least safe_ts, leaving out those that say 0 (§6.2).
pub fn min_resolved(safe_ts: impl Iterator<Item = Ts>) -> Option<Ts> {
    safe_ts.filter(|ts| *ts != Ts::ZERO).min()
}
