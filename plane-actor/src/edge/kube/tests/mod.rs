//! Whole answers of the ports against a fake API server, under v1, v2 and no operator.

mod addresses;
mod backupmeta;
mod deploy;
mod ledger;
mod locate;
mod manifests;
mod placement;
mod stores;

pub(crate) use super::testing::restore_accepts;
pub(crate) use backupmeta::backupmeta;

use crate::ports::PortError;
use shared::{
    evidence::ClusterStore,
    reason::{Reason, Refusal},
};

/// The refusal inside an error, of this reason.
#[track_caller]
pub(crate) fn refusal<T>(result: Result<T, PortError>, reason: Reason) -> Refusal {
    match result {
        Err(PortError::Refused(refusal)) if refusal.reason == reason => refusal,
        Err(other) => panic!("{other} instead of {reason}"),
        Ok(_) => panic!("no {reason}"),
    }
}

/// A store as PD lists it.
pub(crate) fn store(id: u64, address: &str) -> ClusterStore {
    ClusterStore { address: address.to_owned(), ..ClusterStore::example(id) }
}
