//! What a test makes happen once, and what it may ask at the end.

use super::{
    World,
    counters::LeftOver,
    engine::{State, millis},
    faults::Faults,
    kv::{Rows, account_of, read_all},
    pd_state::GC_WORKER,
};
use shared::{
    ids::{RegionId, SnapshotId, StoreId},
    ts::Ts,
};
use std::{collections::BTreeSet, time::Duration};

/// How many left-overs are named.
const NAMED: usize = 50;

/// Of the pod that comes and goes.
fn foreign(store: StoreId) -> String {
    format!("vol-0f{:015x}", store.0)
}

impl World {
    /// Changes the switches.
    pub fn faults<R>(&self, change: impl FnOnce(&mut Faults) -> R) -> R {
        self.with(|state| change(&mut state.faults))
    }

    /// Every store, with the plane that it runs in.
    pub fn stores(&self) -> Vec<(StoreId, String)> {
        self.with(|state| state.stores.iter().map(|(store, held)| (*store, held.plane.clone())).collect())
    }

    /// Where their gRPC ports are, as PD lists them; in the same order.
    pub fn addresses(&self) -> Vec<String> {
        self.with(|state| state.stores.values().map(|held| held.address.clone()).collect())
    }

    /// The TiKV process ends and comes back after `down`: lease, streams and resolvers are gone.
    pub fn restart_store(&self, store: StoreId, down: Duration) {
        self.with(|state| state.restart(store, millis(down)));
    }

    /// Somebody else opens a prepare stream, which ends ours; `lease` seconds are taken on it, if any.
    pub fn take_over_hold(&self, store: StoreId, lease: Option<u64>) {
        self.with(|state| {
            state.open_stream(store);
            let now = state.seconds_of(store);
            if let (Some(seconds), Some(held)) = (lease, state.stores.get_mut(&store)) {
                held.lease.update(now, seconds);
            }
        });
    }

    /// Somebody else sends Finish: the lease ends for everybody. Their stream ends ours.
    pub fn finish_by_other(&self, store: StoreId) {
        self.with(|state| {
            state.open_stream(store);
            let now = state.seconds_of(store);
            if let Some(held) = state.stores.get_mut(&store) {
                held.lease.finish(now);
            }
        });
    }

    /// Elections take every leader away from a store; leases do not stop these.
    pub fn move_leaders(&self, store: StoreId) {
        self.with(|state| {
            let led: Vec<RegionId> =
                state.regions.iter().filter(|(_, r)| r.leader == store).map(|(id, _)| *id).collect();
            for region in led {
                state.elect_away(region, store);
            }
        });
    }

    /// Elections take every leader away from a store that does not hear of it: it lists those regions as led until
    /// [`Self::hear_of_elections`].
    pub fn leave_stale_leaders(&self, store: StoreId) {
        self.with(|state| {
            let led: BTreeSet<RegionId> =
                state.regions.iter().filter(|(_, r)| r.leader == store).map(|(id, _)| *id).collect();
            for region in &led {
                state.elect_away(*region, store);
            }
            let lost = led.into_iter().filter(|region| !state.leads(*region, store)).collect();
            state.faults.stale_leads.insert(store, lost);
        });
    }

    /// Old leaders learn of their successors.
    pub fn hear_of_elections(&self) {
        self.with(|state| state.faults.stale_leads.clear());
    }

    /// Some region merges into its neighbour, if one can now.
    pub fn merge_some(&self) {
        self.with(|state| {
            let ids: Vec<RegionId> = state.regions.keys().copied().collect();
            ids.into_iter().any(|id| state.merge(id));
        });
    }

    /// TiDB's GC makes a round now.
    pub fn tick_gc(&self) {
        self.with(State::gc_turn);
    }

    /// Customers, schedulers and operators go home; what is under way ends. Long waits then cost little.
    pub fn calm(&self) {
        self.with(|state| state.calm = true);
    }

    /// Proposes a split of the first region that can be split now. Under leases everywhere nothing can: `None`.
    pub fn fresh_split(&self) -> Option<RegionId> {
        self.with(|state| {
            let ids: Vec<RegionId> = state.regions.keys().copied().collect();
            ids.into_iter().find_map(|id| state.split(id))
        })
    }

    /// PD's leader moves: pauses are forgotten, schedulers come back unpaused after `empty`.
    pub fn change_pd_leader(&self, empty: Duration) {
        self.with(|state| {
            let now = state.now;
            state.pd.change_leader(now, millis(empty));
        });
    }

    /// Somebody pauses a scheduler for so long.
    pub fn pause_scheduler(&self, name: &str, length: Duration) {
        self.with(|state| state.pd.paused.insert(name.to_owned(), state.now + millis(length)));
    }

    /// A pod of somebody else's comes to a store's node, with its volume.
    pub fn attach_foreign(&self, store: StoreId) {
        self.with(|state| {
            let Some(held) = state.stores.get(&store) else { return };
            let Some((_, instance)) = state.cloud.tikv.get(&held.data).cloned() else { return };
            let home = state.home_of(&held.plane);
            state.cloud.ec2.add_volume(&home, &foreign(store), &instance.0, "/dev/sdz", 0);
        });
    }

    /// So many more of them: an instance may have 128 volumes, and a call leaves out 40 at most (`facts/aws.md` A1).
    pub fn attach_foreigners(&self, store: StoreId, number: usize) {
        self.with(|state| {
            let Some(held) = state.stores.get(&store) else { return };
            let Some((_, instance)) = state.cloud.tikv.get(&held.data).cloned() else { return };
            let home = state.home_of(&held.plane);
            for at in 0..number {
                let (volume, device) = (format!("{}-{at}", foreign(store)), format!("/dev/sdf{at}"));
                state.cloud.ec2.add_volume(&home, &volume, &instance.0, &device, 0);
            }
        });
    }

    /// And goes again.
    pub fn detach_foreign(&self, store: StoreId) {
        self.with(|state| state.cloud.ec2.remove_volume(&foreign(store)));
    }

    /// Somebody removes every service safe point but TiDB's own.
    pub fn remove_safe_points(&self) {
        self.with(|state| state.pd.services.retain(|service, _| service == GC_WORKER));
    }

    /// This many snapshots of other backups lie in a plane's account; they cost nothing but pages.
    pub fn old_snapshots(&self, plane: &str, count: u32) {
        self.with(|state| state.cloud.old.insert(plane.to_owned(), count as usize));
    }

    /// Somebody removes an object; false: it was not there.
    pub fn remove_object(&self, key: &str) -> bool {
        self.with(|state| state.objects.remove(key).is_some())
    }

    /// Somebody else's object: what a prefix in use looks like.
    pub fn put_object(&self, key: &str, body: &[u8]) {
        self.with(|state| state.objects.insert(key.to_owned(), body.to_vec()));
    }

    /// Somebody deletes an object.
    pub fn drop_object(&self, key: &str) {
        self.with(|state| state.objects.remove(key));
    }

    /// These snapshots lose all their tags.
    pub fn strip_tags(&self, snapshots: &BTreeSet<SnapshotId>) {
        self.with(|state| {
            for id in snapshots {
                if let Some(snapshot) = state.cloud.ec2.snapshots.get_mut(&id.0) {
                    snapshot.tags.clear();
                }
            }
        });
    }

    /// The volumes of a store bear these as well.
    pub fn tag_volumes(&self, store: StoreId, tags: impl IntoIterator<Item = (String, String)>) {
        self.with(|state| {
            let Some(held) = state.stores.get(&store) else { return };
            let ids: Vec<_> = held.volumes().into_iter().map(|(_, volume)| volume.clone()).collect();
            let tags: Vec<_> = tags.into_iter().collect();
            for id in ids {
                if let Some(volume) = state.cloud.ec2.volumes.get_mut(&id.0) {
                    volume.tags.extend(tags.iter().cloned());
                }
            }
        });
    }

    /// Somebody splits, merges, moves or ingests right now, wherever leases let them; as often as asked.
    pub fn disturb(&self, times: u32) {
        self.with(|state| (0..times).for_each(|_| state.unruly_turn()));
    }

    /// GC's safe point and the least over all services.
    pub fn gc(&self) -> (Ts, Ts) {
        self.with(|state| {
            let now = state.now;
            (state.pd.gc_safe_point, state.pd.least_service(now))
        })
    }

    /// Versions kept over all copies: falls when GC really drops some.
    pub fn versions(&self) -> usize {
        self.with(|state| state.peers().flat_map(|(_, _, peer)| peer.rows.values()).map(|row| row.writes.len()).sum())
    }
}

impl State {
    pub(crate) fn live_sum(&self) -> Option<i64> {
        let leaders = self.ready_leaders()?.into_iter();
        let rows: Rows = leaders.flat_map(|leader| &leader.rows).map(|(key, row)| (key.clone(), row.clone())).collect();
        let seen = read_all(&rows, Ts(u64::MAX));
        Some(seen.iter().filter(|(key, _)| account_of(key).is_some()).map(|(_, (_, write))| write.value).sum())
    }

    pub(crate) fn left_over(&mut self) -> LeftOver {
        let now = self.now;
        let snapshots: Vec<String> = self
            .cloud
            .ec2
            .snapshots
            .iter()
            .filter(|(_, kept)| !kept.deleting)
            .map(|(id, kept)| {
                let state = if kept.state(self.moment()) == "pending" { " (pending)" } else { "" };
                format!("{id} of {}{state}", kept.volume)
            })
            .collect();
        let volumes = self.made_volumes();
        let objects: Vec<String> = self.objects.keys().cloned().collect();
        let paused = self.pd.in_force(now);
        self.pd.least_service(now);
        let services: Vec<String> = self.pd.services.keys().filter(|name| *name != GC_WORKER).cloned().collect();
        let leases: Vec<String> = self
            .stores
            .keys()
            .filter(|store| self.leased(**store) || self.imports_suspended(**store))
            .map(|store| format!("lease of store {store}"))
            .collect();
        LeftOver {
            snapshots: snapshots.len() as u64,
            volumes: volumes.len() as u64,
            objects: objects.len() as u64,
            paused_schedulers: paused.len() as u64,
            safe_points: services.len() as u64,
            leases: leases.len() as u64,
            names: [snapshots, volumes, objects, paused, services, leases].into_iter().flatten().take(NAMED).collect(),
        }
    }
}
