//! Regions and their peers: a log per region, appended and applied on each store with its own delay.
//!
//! Simplified honestly: an entry once appended by a leader is never lost (whoever is elected has the whole log), so
//! there is no truncation; everything else that a cut can tear is there: followers behind in log and in applied state,
//! admin commands applied on one store and not yet on another, terms, epochs, commands that meet a changed region.

use super::{
    bank::Waiter,
    engine::{Event, State},
    peer::{Command, Descriptor, Entry, Peer, Region},
};
use shared::ids::{RegionId, StoreId};
use std::sync::Arc;

impl State {
    pub(crate) fn peer(&self, region: RegionId, store: StoreId) -> Option<&Peer> {
        self.stores.get(&store)?.peers.get(&region)
    }
    pub(crate) fn peer_mut(&mut self, region: RegionId, store: StoreId) -> Option<&mut Peer> {
        self.stores.get_mut(&store)?.peers.get_mut(&region)
    }
    pub(crate) fn leader(&self, region: RegionId) -> Option<&Peer> {
        self.peer(region, self.regions.get(&region)?.leader)
    }

    /// Every region's leader. `None` while one is between leaders or has not applied up to its own term: what it says
    /// would not be all.
    pub(crate) fn ready_leaders(&self) -> Option<Vec<&Peer>> {
        let ready =
            |(id, region): (&RegionId, &Region)| self.leader(*id).filter(|leader| leader.applied >= region.serves_from);
        self.regions.iter().map(ready).collect()
    }

    /// The region that serves a key now, if its leader is ready and not merging.
    pub(crate) fn route(&self, key: &[u8]) -> Option<RegionId> {
        let id = *self.routes.range(..=key.to_vec()).next_back()?.1;
        let region = self.regions.get(&id)?;
        let peer = self.leader(id)?;
        (peer.region.holds(key)
            && peer.merging.is_none()
            && peer.applied >= region.serves_from
            && self.store_is_up(region.leader))
        .then_some(id)
    }

    pub(crate) fn propose(&mut self, id: RegionId, command: Command, waiter: Option<Waiter>) -> Option<u64> {
        let region = self.regions.get(&id)?;
        let (leader, term, mark) = (region.leader, region.term, self.mark);
        let peer = self.peer_mut(id, leader)?;
        let index = peer.last() + 1;
        peer.log.push(Arc::new(Entry { index, term, mark, command }));
        let members = peer.region.peers.clone();
        let learner = self.regions.get(&id).and_then(|region| region.learner);
        let followers: Vec<StoreId> = members.into_iter().chain(learner).filter(|store| *store != leader).collect();
        if let Some(waiter) = waiter {
            self.waiters.insert((id, index), (waiter, None));
        }
        for store in followers {
            let delay = self.draw(self.config.net);
            self.after(delay, Event::Append(id, store));
        }
        self.advance_commit(id);
        Some(index)
    }

    /// A follower receives what its leader has.
    pub(crate) fn append(&mut self, id: RegionId, store: StoreId) {
        if let Some(wait) = self.down_for(store) {
            return self.after(wait, Event::Append(id, store));
        }
        let (Some(leader), Some(follower)) = (self.leader(id), self.peer(id, store)) else { return };
        let news = leader.after(follower.last()).to_vec();
        if let Some(follower) = self.peer_mut(id, store) {
            follower.log.extend(news);
        }
        self.queue_apply(id, store);
        self.advance_commit(id);
    }

    fn advance_commit(&mut self, id: RegionId) {
        let (Some(region), Some(leader)) = (self.regions.get(&id), self.leader(id)) else { return };
        let mut agreed = self.agreed(id, &leader.region);
        // Joint consensus: from a conf change on, the new members must agree as well.
        for entry in leader.after(region.commit.max(leader.applied)) {
            if let Command::ChangePeer { add, remove } = entry.command {
                let mut next = leader.region.clone();
                next.peers.remove(&remove);
                next.peers.insert(add);
                let joint = agreed.min(self.agreed(id, &next));
                agreed = if joint >= entry.index { joint } else { agreed.min(entry.index - 1) };
                break;
            }
        }
        if agreed <= region.commit {
            return;
        }
        let (peers, leader_store) =
            (leader.region.peers.iter().copied().chain(region.learner).collect::<Vec<_>>(), region.leader);
        if let Some(region) = self.regions.get_mut(&id) {
            region.commit = agreed;
        }
        self.queue_apply(id, leader_store);
        for store in peers {
            self.queue_apply(id, store);
        }
    }

    /// The highest index that a majority of these members has.
    fn agreed(&self, id: RegionId, members: &Descriptor) -> u64 {
        let mut lasts: Vec<u64> =
            members.peers.iter().map(|store| self.peer(id, *store).map_or(0, Peer::last)).collect();
        lasts.sort_unstable_by(|a, b| b.cmp(a));
        lasts.get(members.majority() - 1).copied().unwrap_or(0)
    }

    pub(crate) fn queue_apply(&mut self, id: RegionId, store: StoreId) {
        let commit = self.regions.get(&id).map_or(0, |region| region.commit);
        let Some(peer) = self.peer_mut(id, store) else { return };
        if peer.apply_queued || peer.applied >= commit.min(peer.last()) {
            return;
        }
        peer.apply_queued = true;
        let slow = self.faults.slow_apply.get(&store).map_or(0, |slow| slow.as_millis() as u64);
        let delay = self.draw(self.config.apply) + slow;
        self.after(delay, Event::Apply(id, store));
    }

    /// Applies all that is committed and appended here.
    pub(crate) fn apply(&mut self, id: RegionId, store: StoreId) {
        if let Some(wait) = self.down_for(store) {
            return self.after(wait, Event::Apply(id, store));
        }
        if let Some(peer) = self.peer_mut(id, store) {
            peer.apply_queued = false;
        }
        loop {
            let commit = self.regions.get(&id).map_or(0, |region| region.commit);
            let Some(peer) = self.peer(id, store) else { break };
            let index = peer.applied + 1;
            if index > commit {
                break;
            }
            let Some(entry) = peer.entry(index).cloned() else { break };
            let done = self.apply_entry(id, store, &entry);
            if let Some((_, outcome)) = self.waiters.get_mut(&(id, index)) {
                outcome.get_or_insert(done);
            }
            if let Some(peer) = self.peer_mut(id, store) {
                peer.applied = index;
            }
        }
        self.settle_waits(id, store);
        self.answer_clients(id);
    }

    /// Tells clients whose command the leader has applied.
    fn answer_clients(&mut self, id: RegionId) {
        let applied = self.leader(id).map_or(0, |leader| leader.applied);
        if let Some(region) = self.regions.get_mut(&id)
            && region.admin_at <= applied
        {
            region.admin_at = 0;
        }
        let ready: Vec<u64> = self
            .waiters
            .range((id, 0)..=(id, applied))
            .filter(|(_, (_, outcome))| outcome.is_some())
            .map(|((_, index), _)| *index)
            .collect();
        for index in ready {
            if let Some((waiter, Some(done))) = self.waiters.remove(&(id, index)) {
                self.answered(id, waiter, done);
            }
        }
    }

    /// Makes `to` the leader under a new term. Whoever calls has decided that it may happen.
    pub(crate) fn elect(&mut self, id: RegionId, to: StoreId) {
        let Some(old) = self.regions.get(&id).map(|region| region.leader) else { return };
        let (Some(from), Some(target)) = (self.peer(id, old), self.peer(id, to)) else { return };
        let news = from.after(target.last()).to_vec();
        if let Some(target) = self.peer_mut(id, to) {
            target.log.extend(news);
        }
        if let Some(region) = self.regions.get_mut(&id) {
            region.leader = to;
            region.term += 1;
        }
        self.note(&[7, id.0, to.0]);
        if let Some(index) = self.propose(id, Command::Noop, None)
            && let Some(region) = self.regions.get_mut(&id)
        {
            region.serves_from = index;
        }
        self.queue_apply(id, to);
        self.answer_clients(id);
    }
}
