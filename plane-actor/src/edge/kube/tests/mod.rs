//! Whole answers of the ports against a fake API server, under v1, v2 and no operator.

mod addresses;
mod backupmeta;
mod deploy;
mod fake;
mod ledger;
mod locate;
mod manifests;
mod stores;

use fake::{Fake, Reply};

pub(crate) use super::testing::restore_accepts;
pub(crate) use backupmeta::backupmeta;
pub(crate) use fake::store;

use crate::ports::PortError;
use shared::reason::{Reason, Refusal};

/// The refusal inside an error, of this reason.
#[track_caller]
pub(crate) fn refusal<T>(result: Result<T, PortError>, reason: Reason) -> Refusal {
    match result {
        Err(PortError::Refused(refusal)) if refusal.reason == reason => refusal,
        Err(other) => panic!("{other} instead of {reason}"),
        Ok(_) => panic!("no {reason}"),
    }
}
