//! Hosts without Kubernetes: a written description of topology, and the plane's ledger as a file.

mod description;
mod ledger;

pub use description::LocalTopology;
pub use ledger::FileLedger;

#[cfg(test)]
mod tests;
