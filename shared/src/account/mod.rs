//! What one AWS account may call in one Region, and who calls it: EC2 counts calls per account, Region and action, over all
//! planes and backups that work there (`facts/aws.md` A7). Here they are counted before they are made, divided among those who
//! make them, and a backup that would not fit into its hold waits before anything is held.

mod calls;
mod level;
mod owed;
mod taking;
mod together;

pub use calls::{Calls, Together};
pub use owed::Owed;
pub use taking::{Demand, Takes, Wait};
pub use together::Accounts;

/// One account and Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
}

#[cfg(test)]
mod tests;
