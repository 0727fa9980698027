//! Admin commands at proposal: who may, and what a prepare lease on the leader's store rejects (`facts/pd-tikv.md`
//! §2.2). Commit and rollback of a merge already prepared are let through, ordinary writes always are.

use super::{
    engine::{Event, State},
    kv::Key,
    peer::{Command, Peer},
};
use rand::{Rng, seq::IteratorRandom};
use shared::ids::{RegionId, StoreId};

/// Applied entries that a region keeps in its log for followers that are behind.
const LOG_KEPT: u64 = 64;

impl State {
    /// Leader ready, no other admin command under way, no learner, not merging, every peer there. False also under a
    /// lease.
    fn may_change(&mut self, id: RegionId) -> bool {
        let Some(region) = self.regions.get(&id) else { return false };
        let busy = region.admin_at != 0 || region.learner.is_some();
        let (leader_store, from) = (region.leader, region.serves_from);
        let Some(leader) = self.leader(id) else { return false };
        if busy || leader.merging.is_some() || leader.applied < from || !self.store_is_up(leader_store) {
            return false;
        }
        if !leader.region.peers.iter().all(|store| self.peer(id, *store).is_some()) {
            return false;
        }
        if self.leased(leader_store) {
            self.count_admin("rejected");
            return false;
        }
        true
    }

    fn propose_admin(&mut self, id: RegionId, command: Command) {
        if let Some(index) = self.propose(id, command, None)
            && let Some(region) = self.regions.get_mut(&id)
        {
            region.admin_at = index;
        }
    }

    pub(crate) fn any_region(&mut self) -> Option<RegionId> {
        self.regions.keys().copied().choose(&mut self.rng)
    }

    pub(crate) fn transfer_leader(&mut self, id: RegionId) -> bool {
        if !self.may_change(id) {
            return false;
        }
        let Some(leader) = self.leader(id) else { return false };
        let (from, last) = (self.regions.get(&id).map(|region| region.leader), leader.last());
        let candidates: Vec<StoreId> = leader
            .region
            .peers
            .iter()
            .copied()
            .filter(|store| Some(*store) != from && self.store_is_up(*store))
            .filter(|store| self.peer(id, *store).is_some_and(|peer| peer.last() == last))
            .collect();
        let Some(to) = candidates.into_iter().choose(&mut self.rng) else { return false };
        self.elect(id, to);
        self.count_admin("transfer leader");
        true
    }

    /// Splits at a random row, so that both parts hold some.
    pub(crate) fn split(&mut self, id: RegionId) -> Option<RegionId> {
        if !self.may_change(id) {
            return None;
        }
        let rows = &self.leader(id)?.rows;
        if rows.len() < 2 {
            return None;
        }
        let len = rows.len();
        let nth = self.rng.random_range(1..len);
        let at: Key = self.leader(id)?.rows.keys().nth(nth)?.clone();
        let child = RegionId(self.next_region);
        self.next_region += 1;
        self.propose_admin(id, Command::Split { at, child });
        Some(child)
    }

    /// Merges a region into its right neighbour, if both have their peers on the same stores.
    pub(crate) fn merge(&mut self, source: RegionId) -> bool {
        let Some(target) = self.neighbour(source) else { return false };
        if !self.may_change(source) || !self.may_change(target) || !self.together(source, target) {
            return false;
        }
        self.propose_admin(source, Command::PrepareMerge { target });
        true
    }

    fn neighbour(&self, id: RegionId) -> Option<RegionId> {
        let end = &self.leader(id)?.region.end;
        if end.is_empty() { None } else { self.routes.get(end).copied() }
    }

    fn together(&self, source: RegionId, target: RegionId) -> bool {
        let (Some(left), Some(right)) = (self.leader(source), self.leader(target)) else { return false };
        left.region.peers == right.region.peers
            && left.region.end == right.region.start
            && left.region.peers.iter().all(|store| self.peer(source, *store).is_some())
            && right.region.peers.iter().all(|store| self.peer(target, *store).is_some())
    }

    /// Second half of a merge; a lease does not stop it. Rolled back if the target changed meanwhile.
    pub(crate) fn commit_merge(&mut self, source: RegionId) {
        let Some((target, prepared_at)) = self.leader(source).and_then(|leader| leader.merging) else { return };
        // A learner has no copy of the source and could not follow.
        let busy = self.regions.get(&target).is_some_and(|region| region.admin_at != 0 || region.learner.is_some());
        let ready = self.leader(target).is_some_and(|leader| leader.merging.is_none());
        if busy && ready {
            return self.after(20, Event::Merge(source));
        }
        if !ready || !self.together(source, target) {
            self.propose(source, Command::RollbackMerge, None);
            return;
        }
        let entries = self.leader(source).map(|leader| leader.log.clone()).unwrap_or_default();
        self.propose_admin(target, Command::CommitMerge { source, prepared_at, entries });
    }

    /// Begins to move a follower to another store of the same plane, so that placement stays as it was.
    pub(crate) fn change_peer(&mut self, id: RegionId) -> bool {
        if !self.may_change(id) {
            return false;
        }
        let Some(leader) = self.leader(id) else { return false };
        let here = leader.region.peers.clone();
        let plane = |store: &StoreId| self.stores.get(store).map(|held| held.plane.clone());
        let moves: Vec<(StoreId, StoreId)> = here
            .iter()
            .filter(|remove| !self.leads(id, **remove))
            .flat_map(|remove| {
                let same = plane(remove);
                self.stores
                    .iter()
                    .filter(move |(_, held)| Some(&held.plane) == same.as_ref() && !held.peers.contains_key(&id))
                    .map(move |(add, _)| (*add, *remove))
            })
            .filter(|(add, _)| !here.contains(add))
            .collect();
        let Some((add, remove)) = moves.into_iter().choose(&mut self.rng) else { return false };
        self.set_learner(id, Some(add));
        self.leaving.insert(id, remove);
        let delay = self.draw(self.config.net) * 4 + 5;
        self.after(delay, Event::SendSnapshot(id, add));
        true
    }

    pub(crate) fn set_learner(&mut self, id: RegionId, learner: Option<StoreId>) {
        if let Some(region) = self.regions.get_mut(&id) {
            region.learner = learner;
        }
    }

    /// The learner has the leader's state: the exchange of members is proposed, or the learner goes away.
    pub(crate) fn promote(&mut self, id: RegionId, add: StoreId) {
        let remove = self.leaving.remove(&id);
        self.set_learner(id, None);
        let free = self.may_change(id);
        let stays = remove.filter(|gone| {
            free && !self.leads(id, *gone) && self.leader(id).is_some_and(|leader| leader.region.peers.contains(gone))
        });
        match stays {
            Some(remove) => {
                self.set_learner(id, Some(add));
                self.propose_admin(id, Command::ChangePeer { add, remove });
            }
            None => self.after(1, Event::Destroy(id, add)),
        }
    }

    /// Lightning: a file goes to every peer's store, then one command ingests it everywhere.
    pub(crate) fn start_ingest(&mut self, id: RegionId) {
        let Some(peers) = self.leader(id).map(|leader| leader.region.peers.clone()) else { return };
        let file = self.next_file;
        self.next_file += 1;
        let mut slowest = 0;
        for store in peers {
            let delay = self.rng.random_range(10..=200);
            slowest = slowest.max(delay);
            self.after(delay, Event::Upload(store, file));
        }
        self.after(slowest + 5, Event::Ingest(id, file));
    }

    pub(crate) fn upload(&mut self, store: StoreId, file: u64) {
        if let Some(held) = self.stores.get_mut(&store) {
            held.files.insert(file);
        }
    }

    pub(crate) fn ingest(&mut self, id: RegionId, file: u64) {
        let complete = self.leader(id).is_some_and(|leader| {
            leader
                .region
                .peers
                .iter()
                .all(|store| self.stores.get(store).is_some_and(|held| held.files.contains(&file)))
        });
        if !complete || !self.may_change(id) {
            return;
        }
        if self.regions.get(&id).is_some_and(|kept| self.imports_suspended(kept.leader)) {
            self.count_admin("rejected");
            return;
        }
        self.ingests.insert(file, self.mark);
        self.count_admin("ingest");
        self.propose(id, Command::Ingest { file }, None);
    }

    /// CompactLog; under a lease logs grow.
    pub(crate) fn compact_logs(&mut self) {
        let regions: Vec<RegionId> = self.regions.keys().copied().collect();
        for id in regions {
            let Some(leader) = self.leader(id) else { continue };
            if (leader.log.len() as u64) < LOG_KEPT * 4 {
                continue;
            }
            let least =
                leader.region.peers.iter().filter_map(|store| self.peer(id, *store)).map(|peer| peer.applied).min();
            if let Some(least) = least
                && self.may_change(id)
            {
                self.propose(id, Command::Compact { up_to: least.saturating_sub(LOG_KEPT) }, None);
            }
        }
    }

    /// CheckPendingAdminOp of one led region (`facts/pd-tikv.md` §1.12): an unapplied conf change, a merge, or a split
    /// that is committed. A split proposed and not yet committed is not pending.
    pub(crate) fn admin_pending(&self, id: RegionId, peer: &Peer) -> bool {
        let commit = self.regions.get(&id).map_or(0, |region| region.commit);
        peer.merging.is_some()
            || peer.after(peer.applied).iter().any(|entry| match entry.command {
                Command::ChangePeer { .. } => true,
                Command::Split { .. } | Command::PrepareMerge { .. } | Command::CommitMerge { .. } => {
                    entry.index <= commit
                }
                _ => false,
            })
    }
}
