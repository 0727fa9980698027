//! `safe_ts` of regions and the minimum that PD makes of it (`facts/pd-tikv.md` §6.2, §3.6).

use super::engine::{Event, State, millis};
use crate::models::tikv::min_resolved;
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};

impl State {
    /// Leaders advance, followers learn what their leader had before, PD takes its sticky minimum.
    pub(crate) fn advance_resolved_ts(&mut self) {
        let regions: Vec<RegionId> = self.regions.keys().copied().collect();
        for id in regions {
            self.advance_region(id);
        }
        self.advance_pd_minimum();
    }

    fn advance_region(&mut self, id: RegionId) {
        let Some(region) = self.regions.get(&id) else { return };
        let (store, from) = (region.leader, region.serves_from);
        let Some(leader) = self.leader(id) else { return };
        // A leader that has not applied up to its own term may not have seen a lock whose commit_ts is drawn already.
        if leader.applied < from || !leader.resolver_ready || !self.store_is_up(store) {
            return;
        }
        if self.faults.stuck_safe_ts.contains(&store) {
            return;
        }
        let locks = leader.rows.values().filter_map(|row| row.lock.as_ref()).map(|lock| Ts(lock.start_ts.0 - 1)).min();
        let (before, peers) = ((leader.safe_ts, leader.safe_at), leader.region.peers.clone());
        let applied = leader.applied;
        let safe_ts = self.tso().min(locks.unwrap_or(Ts(u64::MAX))).max(before.0);
        for other in peers {
            let (value, at) = if other == store { (safe_ts, applied) } else { before };
            let Some(peer) = self.peer_mut(id, other).filter(|peer| peer.resolver_ready) else { continue };
            // What a leader said before a merge is not true of the region after it: a lock that came with the source lies
            // below. And nobody takes over what is beyond its own log (TiKV: components/raftstore/src/store/util.rs,
            // RegionReadProgressCore::update_safe_ts).
            if value > peer.safe_ts && at >= peer.merged_at && peer.applied >= at {
                (peer.safe_ts, peer.safe_at) = (value, at);
            }
        }
    }

    /// PD takes the least over stores with leaders and never goes back (§3.6).
    fn advance_pd_minimum(&mut self) {
        if self.faults.min_resolved_off {
            return;
        }
        let leaders: std::collections::BTreeSet<StoreId> = self.regions.values().map(|region| region.leader).collect();
        let least = self.peers().filter(|(store, ..)| leaders.contains(store)).map(|(_, _, peer)| peer.safe_ts);
        if let Some(least) = min_resolved(least) {
            self.pd.min_resolved = self.pd.min_resolved.max(least);
        }
    }

    pub(crate) fn resolver_ready(&mut self, id: RegionId, store: StoreId) {
        if self.faults.zero_safe_ts || self.down_for(store).is_some() {
            return self.after(500, Event::ResolverReady(id, store));
        }
        if let Some(peer) = self.peer_mut(id, store) {
            peer.resolver_ready = true;
        }
    }

    /// GC: expired locks are resolved, TiDB's own safe point moves, the GC safe point follows the least service safe
    /// point, and every store drops old versions in its own time. A region between leaders hides its locks: then this
    /// round moves nothing, as a round of TiDB's fails whose lock resolution did not reach every region. A safe point
    /// past a hidden lock would drop the primary's commit record and roll the secondary back.
    pub(crate) fn gc_turn(&mut self) {
        let Some(leaders) = self.ready_leaders() else { return };
        let locked: Vec<(Vec<u8>, Ts)> = leaders
            .into_iter()
            .flat_map(|leader| leader.rows.iter())
            .filter_map(|(key, row)| row.lock.as_ref().map(|lock| (key.clone(), lock.start_ts)))
            .collect();
        for (key, _) in &locked {
            self.resolve(key);
        }
        let now = self.tso();
        let life = millis(self.config.gc_life);
        let oldest = locked.iter().map(|(_, start_ts)| Ts(start_ts.0 - 1)).min().unwrap_or(now);
        let wish = Ts::compose(now.physical_ms().saturating_sub(life), 0).min(oldest);
        let least = self.pd.move_gc_worker(wish, self.now);
        self.pd.gc_safe_point = self.pd.gc_safe_point.max(least);
        let safe_point = self.pd.gc_safe_point;
        self.note(&[4, safe_point.0]);
        let stores: Vec<StoreId> = self.stores.keys().copied().collect();
        for store in stores {
            let delay = self.draw(super::config::Span(10, millis(self.config.gc_every) / 2 + 10));
            self.after(delay, Event::CollectGarbage(store, safe_point));
        }
        self.compact_logs();
    }

    pub(crate) fn collect_garbage(&mut self, store: StoreId, safe_point: Ts) {
        let Some(held) = self.stores.get_mut(&store) else { return };
        for row in held.peers.values_mut().flat_map(|peer| peer.rows.values_mut()) {
            row.collect_garbage(safe_point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        apply::apply,
        config::WorldConfig,
        kv::Lock,
        peer::{Command, Entry},
    };

    #[test]
    fn what_a_leader_said_before_a_merge_does_not_count_after_it() {
        let mut config = WorldConfig::seeded(3);
        (config.transfers_per_second, config.scheduler_every, config.unruly_every) = (0, None, None);
        let mut state = State::new(config);
        state.advance_to(30_000);
        let neighbours = state.regions.keys().flat_map(|left| state.regions.keys().map(move |right| (*left, *right)));
        let together = |(left, right): &(RegionId, RegionId)| {
            let (Some(left), Some(right)) = (state.leader(*left), state.leader(*right)) else { return false };
            left.region.end == right.region.start
                && left.region.peers == right.region.peers
                && !left.region.end.is_empty()
        };
        let (source, target) = neighbours.into_iter().find(together).unwrap();
        let start_ts = state.tso();
        let lock = Lock { start_ts, primary: b"p".to_vec(), value: 1 };
        for row in state.stores.values_mut().filter_map(|held| held.peers.get_mut(&source)) {
            row.rows.values_mut().next().unwrap().lock = Some(lock.clone());
        }
        state.advance_to(33_000);
        let leader = state.regions[&target].leader;
        let (prepared_at, index) = (state.leader(source).unwrap().applied, state.leader(target).unwrap().last() + 1);
        let follower = *state.leader(target).unwrap().region.peers.iter().find(|store| **store != leader).unwrap();
        assert!(state.peer(source, follower).unwrap().safe_ts < start_ts);
        assert!(state.leader(target).unwrap().safe_ts > start_ts);
        // The follower applies the merge first: it has the lock, its leader has not yet.
        let command = Command::CommitMerge { source, prepared_at, entries: Vec::new() };
        let entry = Entry { index, term: 9, mark: 0, command };
        apply(&mut state.stores.get_mut(&follower).unwrap().peers, target, &entry);
        state.peer_mut(target, follower).unwrap().applied = index;
        for _ in 0..3 {
            state.advance_resolved_ts();
            assert!(state.peer(target, follower).unwrap().safe_ts < start_ts);
        }
    }
}
