//! Elections, and what a leader does with its log. In recovery mode nobody stands for one but who is told to.

use super::{
    Cluster, Pod,
    disk::Kept,
    pd::Believed,
    process::{Led, Process},
};
use crate::models::regions::{
    apply::{Applied, apply},
    peer::{Command, Entry, Peer},
    vote::is_elected,
};
use shared::{
    ids::{RegionId, StoreId},
    time::Timestamp,
};
use std::sync::Arc;

impl Cluster {
    /// The process that is this store in PD's eyes, if it is up.
    pub(crate) fn pod_of(&self, store: StoreId) -> Option<&Pod> {
        self.processes.iter().find(|(_, process)| process.is_up() && process.store == store).map(|(pod, _)| pod)
    }

    /// A copy whose process is up.
    pub(crate) fn copy(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        let process = self.processes.get(self.pod_of(store)?)?;
        self.engines.get(process.engine)?.disk.peers.get(&region)
    }

    pub(crate) fn kept(&self, store: StoreId, region: RegionId) -> Option<Kept> {
        let process = self.processes.get(self.pod_of(store)?)?;
        Some(self.engines.get(process.engine)?.disk.kept(region))
    }

    /// Who leads it.
    #[must_use]
    pub fn leader_of(&self, region: RegionId) -> Option<StoreId> {
        let leads = self.processes.values().find(|process| process.is_up() && process.leads.contains_key(&region));
        leads.map(|process| process.store)
    }

    /// Members that answer, by the copy of this store: itself, and those that are up and not made deaf.
    fn reached(&self, store: StoreId, region: RegionId) -> Vec<StoreId> {
        let Some(own) = self.copy(store, region) else { return Vec::new() };
        let answers =
            |member: &StoreId| *member == store || !self.deaf.contains(&region) && self.copy(*member, region).is_some();
        own.region.peers.iter().copied().filter(answers).collect()
    }

    /// Can it commit what it proposes?
    pub(crate) fn has_quorum(&self, store: StoreId, region: RegionId) -> bool {
        self.copy(store, region).is_some_and(|own| self.reached(store, region).len() >= own.region.majority())
    }

    fn would_win(&self, store: StoreId, region: RegionId) -> bool {
        let reached = self.reached(store, region);
        is_elected(store, |member| reached.contains(&member).then(|| self.copy(member, region)).flatten())
    }

    /// A copy stands for election, without a round of pre-votes: whoever hears of it has its term from then on, also if
    /// nobody wins (`facts/restore.md` §3.5).
    pub(crate) fn campaign(&mut self, pod: &Pod, region: RegionId, now: Timestamp) -> bool {
        let Some(process) = self.processes.get(pod).filter(|process| process.is_up()) else { return false };
        if process.leads.contains_key(&region) {
            return true;
        }
        let store = process.store;
        if self.copy(store, region).is_none() {
            return false;
        }
        let reached = self.reached(store, region);
        let terms = reached.iter().filter_map(|member| self.kept(*member, region)).map(|kept| kept.hard_term);
        let term = terms.max().unwrap_or(0) + 1;
        let won = self.would_win(store, region);
        for member in reached {
            let engine = self.pod_of(member).and_then(|pod| self.processes.get(pod)).map(|process| process.engine);
            if let Some(engine) = engine.and_then(|engine| self.engines.get_mut(engine)) {
                engine.disk.kept_mut(region).hard_term = term;
            }
        }
        if won {
            self.lead(pod, region, term, now);
        }
        won
    }

    /// It leads, and so ends whoever did, and has everybody take its log.
    fn lead(&mut self, pod: &Pod, region: RegionId, term: u64, now: Timestamp) {
        for process in self.processes.values_mut() {
            process.leads.remove(&region);
        }
        let applied_at = Timestamp(now.0 + self.apply_ms);
        let Some(process) = self.processes.get_mut(pod) else { return };
        process.leads.insert(region, Led { applied_at, applied: false });
        let engine = process.engine;
        if let Some(peer) = self.engines.get_mut(engine).and_then(|engine| engine.disk.peers.get_mut(&region)) {
            let index = peer.last() + 1;
            peer.log.push(Arc::new(Entry { index, term, mark: 0, command: Command::Noop }));
        }
        self.replicate(region, pod);
    }

    /// Members that are up have what their leader has, by its log or by a snapshot of it.
    pub(crate) fn replicate(&mut self, region: RegionId, leader: &Pod) {
        let Some(process) = self.processes.get(leader) else { return };
        let Some(disk) = self.engines.get(process.engine).map(|engine| &engine.disk) else { return };
        let Some(peer) = disk.peers.get(&region).cloned() else { return };
        let kept = disk.kept(region);
        let is_member = |store: &StoreId| peer.region.peers.contains(store);
        let followers = self.processes.iter().filter(|(pod, other)| *pod != leader && other.is_up());
        let engines: Vec<usize> =
            followers.filter(|(_, other)| is_member(&other.store)).map(|(_, other)| other.engine).collect();
        for engine in engines {
            if let Some(engine) = self.engines.get_mut(engine) {
                engine.disk.take_over(region, peer.clone(), kept);
            }
        }
    }

    /// A process that has just come up follows those that lead.
    pub(crate) fn catch_up(&mut self, pod: &Pod) {
        let others = self.processes.iter().filter(|(other, process)| *other != pod && process.is_up());
        let led: Vec<(Pod, RegionId)> =
            others.flat_map(|(other, process)| process.leads.keys().map(|region| (other.clone(), *region))).collect();
        for (leader, region) in led {
            self.replicate(region, &leader);
        }
    }

    /// Leaders whose time has come have applied all of their log; what it holds is seen only then.
    pub(crate) fn apply_due(&mut self, now: Timestamp) {
        let due = |led: &Led| !led.applied && led.applied_at <= now;
        let due: Vec<(Pod, RegionId)> = self
            .processes
            .iter()
            .flat_map(|(pod, process)| process.leads.iter().map(move |(region, led)| (pod, region, led)))
            .filter(|(_, _, led)| due(led))
            .map(|(pod, region, _)| (pod.clone(), *region))
            .collect();
        for (pod, region) in due {
            self.apply_log(&pod, region, now);
        }
    }

    fn apply_log(&mut self, pod: &Pod, region: RegionId, now: Timestamp) {
        let Some(engine) = self.processes.get(pod).map(|process| process.engine) else { return };
        let (mut children, mut merged) = (Vec::new(), Vec::new());
        let Some(peers) = self.engines.get_mut(engine).map(|engine| &mut engine.disk.peers) else { return };
        while let Some(peer) = peers.get(&region) {
            let index = peer.applied + 1;
            let Some(entry) = peer.entry(index).cloned() else { break };
            match apply(peers, region, &entry) {
                Applied::Split { child, .. } => children.push(child),
                Applied::Merged { source, .. } => merged.push(source),
                Applied::Stale | Applied::Done | Applied::Prepared | Applied::PeersChanged { .. } => {}
            }
            if let Some(peer) = peers.get_mut(&region) {
                peer.applied = index;
            }
        }
        for source in merged {
            for process in self.processes.values_mut() {
                process.leads.remove(&source);
            }
            for engine in &mut self.engines {
                engine.disk.peers.remove(&source);
            }
        }
        let led = Led { applied_at: now, applied: true };
        if let Some(process) = self.processes.get_mut(pod) {
            process.leads.insert(region, led);
            process.leads.extend(children.iter().map(|child| (*child, led)));
        }
        for region in children.into_iter().chain([region]) {
            self.replicate(region, pod);
        }
    }

    /// Stores that started without the mark elect by themselves, with pre-votes: nobody begins what cannot be won.
    pub(crate) fn elect_by_themselves(&mut self, now: Timestamp) {
        let may = |(_, process): &(&Pod, &Process)| {
            process.is_up() && !process.recovers() && process.at.0 + self.election_ms <= now.0
        };
        let mut open = Vec::new();
        for (pod, process) in self.processes.iter().filter(may) {
            let Some(engine) = self.engines.get(process.engine) else { continue };
            let leaderless = engine.disk.peers.keys().filter(|region| self.leader_of(**region).is_none());
            open.extend(leaderless.map(|region| (pod.clone(), process.store, *region)));
        }
        for (pod, store, region) in open {
            if self.leader_of(region).is_none() && self.would_win(store, region) {
                self.campaign(&pod, region, now);
            }
        }
    }

    /// Heartbeats of stores and of leaders.
    pub(crate) fn tell_pd(&mut self, now: Timestamp) {
        for process in self.processes.values().filter(|process| process.is_up()) {
            if let Some(registered) = self.pd.stores.get_mut(&process.store) {
                registered.heard = now;
            }
            let Some(engine) = self.engines.get(process.engine) else { continue };
            for (region, peer) in
                process.leads.keys().filter_map(|region| Some((region, engine.disk.peers.get(region)?)))
            {
                let (start, end) = (peer.region.start.clone(), peer.region.end.clone());
                self.pd.report(*region, Believed { start, end, leader: Some(process.store) });
            }
        }
    }
}
