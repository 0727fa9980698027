//! What checkers may see of a world: its own memory, not what callers are told.

use super::{World, engine::State, pd_state::GC_WORKER};
use shared::{
    epoch::Epoch,
    ids::{SnapshotId, StoreId},
    member::MemberLedger,
    time::Millis,
    ts::Ts,
};
use std::collections::BTreeMap;

/// A snapshot that was ever made.
#[derive(Clone, Debug)]
pub struct SnapshotFact {
    /// Plane whose credentials made it.
    pub plane: String,
    /// As given to the create call.
    pub tags: Vec<(String, String)>,
    /// Somebody deleted it.
    pub deleted: bool,
}

/// One look.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Every snapshot that was ever made.
    pub snapshots: BTreeMap<SnapshotId, SnapshotFact>,
    /// Planes' own ledgers.
    pub ledgers: BTreeMap<String, MemberLedger>,
}

impl World {
    /// Everything that callers can change, as it is.
    pub fn facts(&self) -> Facts {
        self.with(|state| Facts {
            snapshots: state
                .cloud
                .captures
                .iter()
                .map(|(id, made)| {
                    let deleted = state.cloud.ec2.snapshots.get(&id.0).is_none_or(|kept| kept.deleting);
                    (id.clone(), SnapshotFact { plane: made.plane.clone(), tags: made.tags.clone(), deleted })
                })
                .collect(),
            ledgers: state.ledgers.clone(),
        })
    }

    /// What stands on each snapshot that there is, as EC2 has it.
    pub fn snapshot_tags(&self) -> Vec<BTreeMap<String, String>> {
        self.with(|state| {
            let there = state.cloud.ec2.snapshots.values().filter(|kept| !kept.deleting);
            there.map(|kept| kept.tags.clone()).collect()
        })
    }

    /// The highest epoch that a plane's own ledger says it has obeyed, over all TiDB clusters.
    pub fn obeyed(&self, plane: &str) -> Option<Epoch> {
        self.with(|state| state.ledgers.get(plane)?.epochs.values().max().copied())
    }

    /// PD's own minimum of resolved ts.
    pub fn min_resolved(&self) -> Ts {
        self.with(|state| state.pd.min_resolved)
    }

    /// The least that was left of any store's lease when it was renewed, since the world began; `None`: none was renewed.
    pub fn smallest_margin(&self) -> Option<Millis> {
        self.with(|state| state.margins.least.map(Millis))
    }

    /// Stores with a live prepare lease, whether PD is paused, and how many service safe points stand besides TiDB's.
    pub fn holds(&self) -> (Vec<StoreId>, bool, usize) {
        self.with(State::holds)
    }

    /// Stores whose prepare lease lives beyond the present second, in which a mere probe would end.
    pub fn leased_for_longer(&self) -> Vec<StoreId> {
        self.with(|state| {
            let longer = |store: &StoreId| {
                state.stores.get(store).is_some_and(|held| held.lease.outlasts(state.seconds_of(*store)))
            };
            state.stores.keys().copied().filter(longer).collect()
        })
    }
}

impl State {
    fn holds(&mut self) -> (Vec<StoreId>, bool, usize) {
        let now = self.now;
        let leased = self.stores.keys().copied().filter(|store| self.leased(*store)).collect();
        self.pd.least_service(now);
        let services = self.pd.services.keys().filter(|name| *name != GC_WORKER).count();
        (leased, !self.pd.in_force(now).is_empty(), services)
    }
}
