//! Restores that are at work in a plane actor, or were lately.

use super::restorer::RestorerActor;
use actix::Addr;
use shared::ids::RestoreUid;
use std::collections::BTreeMap;

/// One of them.
pub(super) struct LiveRestore {
    pub(super) addr: Addr<RestorerActor>,
    pub(super) busy: bool,
    /// When it was last given an order; the least is forgotten first.
    pub(super) used: u64,
}

/// All of them.
#[derive(Default)]
pub(super) struct Restores {
    pub(super) live: BTreeMap<RestoreUid, LiveRestore>,
    pub(super) uses: u64,
}
