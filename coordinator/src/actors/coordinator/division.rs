//! Who calls what in which AWS account, and what planes were told of it.

use actix::SpawnHandle;
use shared::{account::Accounts, ids::PlaneId, wire::AccountPart};
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub(super) struct Division {
    pub(super) accounts: Accounts,
    /// What each plane was told in its present session; who was told nothing takes all.
    pub(super) told: BTreeMap<PlaneId, Vec<AccountPart>>,
    /// Planes will be told soon.
    pub(super) due: bool,
    /// Those that wait are looked at then.
    pub(super) looking: Option<SpawnHandle>,
}
