//! Kubernetes: where VolumeBackup objects come from, where their status goes, where the ledger is kept, and who leads.
//!
//! Kubernetes types meet the domain in [`convert`] and nowhere else.

mod call;
mod connect;
pub mod convert;
pub mod crd;
mod date;
mod events;
mod follow;
mod kinds;
mod leader;
mod ledger;
mod manifests;
pub mod migrate;
mod objects;
mod proxy;
mod restores;
mod schedules;
mod source;
mod teardown;
#[cfg(test)]
pub(crate) mod testing;
mod untyped;

pub use connect::{ConnectError, client, client_of};
pub use crd::{crds, crds_with_status};
pub use kinds::Kinds;
pub use leader::{Contact, Leader, LeaderConfig};
pub use ledger::KubeLedger;
pub use manifests::KubeManifests;
pub use objects::KubeObjects;
pub use proxy::{Proxy, ProxyError};
pub use restores::KubeRestores;
pub use schedules::KubeSchedules;
pub use source::KubeSource;
