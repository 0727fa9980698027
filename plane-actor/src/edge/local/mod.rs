//! Hosts without Kubernetes: a written description of topology, and the plane's ledger as a file.

mod description;
mod ledger;
mod placement;

pub use description::LocalTopology;
pub use ledger::FileLedger;
pub use placement::NoPlacement;

#[cfg(test)]
mod tests;
