//! What the running cluster does when a store has applied a command: routes, new leaders, replicas, resolvers.

use super::{
    apply::{Applied, apply},
    engine::{Event, State, millis},
    kv::Key,
    peer::{Command, Entry, FIRST_INDEX, Region},
};
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};

impl State {
    /// False: the command met a changed region.
    pub(crate) fn apply_entry(&mut self, id: RegionId, store: StoreId, entry: &Entry) -> bool {
        let Some(held) = self.stores.get_mut(&store) else { return false };
        let applied = apply(&mut held.peers, id, entry);
        match applied {
            Applied::Stale => return false,
            Applied::Done => {}
            Applied::Prepared => {
                if self.leads(id, store) {
                    let delay = self.draw(self.config.net) + 1 + millis(self.faults.slow_merge);
                    self.after(delay, Event::Merge(id));
                }
            }
            Applied::Split { start, at, child } => self.split_applied(id, store, start, at, child),
            Applied::Merged { source, seam, start } => self.merge_applied(id, store, source, &seam, start),
            Applied::PeersChanged { add, remove } => {
                if store == remove
                    && let Some(held) = self.stores.get_mut(&store)
                {
                    held.peers.remove(&id);
                } else if self.leads(id, store) {
                    self.set_learner(id, None);
                    let delay = self.draw(self.config.net) * 4 + 20;
                    self.after(delay, Event::Destroy(id, remove));
                    self.count_admin("change peer");
                }
                self.note(&[3, id.0, add.0, remove.0]);
            }
        }
        true
    }

    pub(crate) fn leads(&self, id: RegionId, store: StoreId) -> bool {
        self.regions.get(&id).is_some_and(|region| region.leader == store)
    }

    fn split_applied(&mut self, id: RegionId, store: StoreId, start: Key, at: Key, child: RegionId) {
        let leader = self.regions.get(&id).map_or(store, |region| region.leader);
        self.regions.entry(child).or_insert(Region {
            leader,
            term: FIRST_INDEX,
            commit: FIRST_INDEX - 1,
            serves_from: FIRST_INDEX,
            admin_at: 0,
            learner: None,
        });
        if leader == store {
            self.routes.insert(start, child);
            self.routes.insert(at, id);
            self.count_admin("split");
        }
        if self.leads(child, store) {
            self.propose(child, Command::Noop, None);
        }
        self.note(&[1, id.0, child.0, store.0]);
        let init = self.draw(self.config.resolver_init);
        self.after(init, Event::ResolverReady(child, store));
        self.after(1, Event::Append(child, store));
    }

    fn merge_applied(&mut self, id: RegionId, store: StoreId, source: RegionId, seam: &[u8], start: Key) {
        if self.peer(id, store).is_some_and(|peer| !peer.resolver_ready) {
            let init = self.draw(self.config.resolver_init);
            self.after(init, Event::ResolverReady(id, store));
        }
        if self.leads(id, store) {
            self.routes.remove(seam);
            self.routes.insert(start, id);
            self.regions.remove(&source);
            self.leaving.remove(&source);
            self.fail_clients_of(source);
            self.count_admin("merge");
        }
        self.note(&[2, id.0, source.0, store.0]);
    }

    /// A raft snapshot of the leader's applied state makes the learner; then the conf change may be proposed.
    pub(crate) fn send_snapshot(&mut self, id: RegionId, to: StoreId) {
        let learns = self.regions.get(&id).is_some_and(|region| region.learner == Some(to));
        let Some(leader) = self.leader(id).filter(|_| learns && self.peer(id, to).is_none()) else { return };
        // A file that is being ingested is not on the learner: its copy must be of a later moment.
        if leader.after(leader.applied).iter().any(|entry| matches!(entry.command, Command::Ingest { .. })) {
            return self.after(20, Event::SendSnapshot(id, to));
        }
        let mut copy = leader.clone();
        copy.log.truncate(usize::try_from((copy.applied + 1).saturating_sub(copy.first)).unwrap_or(0));
        (copy.safe_ts, copy.resolver_ready, copy.apply_queued) = (Ts::ZERO, false, false);
        if let Some(store) = self.stores.get_mut(&to) {
            store.files.extend(copy.ingested.iter().copied());
            store.peers.insert(id, copy);
        }
        let init = self.draw(self.config.resolver_init);
        self.after(init, Event::ResolverReady(id, to));
        self.after(1, Event::Append(id, to));
        self.after(30, Event::Promote(id, to));
    }

    /// Removes a peer that is no longer (or was never) a member.
    pub(crate) fn destroy(&mut self, id: RegionId, store: StoreId) {
        let member = self.leader(id).is_some_and(|leader| leader.region.peers.contains(&store));
        let learner = self.regions.get(&id).is_some_and(|region| region.learner == Some(store));
        if !member
            && !learner
            && let Some(held) = self.stores.get_mut(&store)
        {
            held.peers.remove(&id);
        }
    }
}
