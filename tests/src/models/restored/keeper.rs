//! `recover_data.RecoverData` (`facts/restore.md` §3.4): what a store tells of its copies, and how it stands for election.

use super::{Cluster, Mode, Pod, process::Keeper};
use crate::models::regions::{peer::Peer, vote::peer_id};
use shared::{ids::RegionId, recovery::Meta, time::Timestamp};

/// One call of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadCall {
    pod: Pod,
    process: u64,
    call: u64,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Under way, perhaps for ever.
    Waiting,
    /// Answered, which proves nothing.
    Answered,
    /// Another call ended it: ABORTED.
    Aborted,
    /// Its process is gone.
    Broken,
}

/// Why RecoverData does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing listens there.
    Down(String),
    /// Not in recovery mode.
    Unimplemented,
}

impl Cluster {
    /// Whose address this is, up or not.
    #[must_use]
    pub fn pod_at(&self, address: &str) -> Option<Pod> {
        self.processes.iter().find(|(_, process)| process.address == address).map(|(pod, _)| pod.clone())
    }

    /// Does RecoverData answer there?
    ///
    /// # Errors
    /// It does not.
    pub fn recovering(&self, pod: &Pod) -> Result<(), NoAnswer> {
        match self.processes.get(pod).map(|process| &process.mode) {
            Some(Ok(Mode::Recovery)) => Ok(()),
            Some(Ok(Mode::Normal)) => Err(NoAnswer::Unimplemented),
            Some(Err(why)) => Err(NoAnswer::Down(format!("{}: connection refused ({why})", pod.1))),
            None => Err(NoAnswer::Down(format!("{}: no such host", pod.1))),
        }
    }

    /// ReadRegionMeta. Ends a RecoverRegion of this store.
    ///
    /// # Errors
    /// As [`Self::recovering`].
    pub fn region_metas(&mut self, pod: &Pod) -> Result<Vec<Meta>, NoAnswer> {
        self.recovering(pod)?;
        let Some(process) = self.processes.get_mut(pod) else { return Ok(Vec::new()) };
        process.keeper = None;
        let (engine, store) = (process.engine, process.store);
        let Some(disk) = self.engines.get(engine).map(|engine| &engine.disk) else { return Ok(Vec::new()) };
        let most = self.streams_end_after.get(&store).copied().unwrap_or(usize::MAX);
        let meta = |(id, peer): (&RegionId, &Peer)| Meta {
            region: *id,
            peer: peer.region.peers.iter().map(|member| peer_id(id.0, *member)).max().unwrap_or_default(),
            term: disk.kept(*id).hard_term,
            last_index: peer.last(),
            version: peer.region.version,
            start: peer.region.start.clone(),
            end: peer.region.end.clone(),
        };
        Ok(disk.peers.iter().map(meta).take(most).collect())
    }

    /// RecoverRegion, all of its requests read. Ends the one before.
    ///
    /// # Errors
    /// As [`Self::recovering`].
    pub fn begin_lead(&mut self, pod: &Pod, regions: &[RegionId], now: Timestamp) -> Result<LeadCall, NoAnswer> {
        self.recovering(pod)?;
        self.calls += 1;
        let call = self.calls;
        let keeper = Keeper { call, regions: regions.to_vec(), next: now, all_led: false, answered: false };
        let mut process = 0;
        if let Some(of) = self.processes.get_mut(pod) {
            process = of.number;
            of.keeper = Some(keeper);
        }
        self.keep(pod, now);
        Ok(LeadCall { pod: pod.clone(), process, call })
    }

    /// How a call stands.
    #[must_use]
    pub fn standing(&self, call: &LeadCall) -> Standing {
        let process = self.processes.get(&call.pod).filter(|process| process.number == call.process);
        match process.map(|process| process.keeper.as_ref().filter(|keeper| keeper.call == call.call)) {
            None => Standing::Broken,
            Some(None) => Standing::Aborted,
            Some(Some(keeper)) if keeper.answered => Standing::Answered,
            Some(Some(_)) => Standing::Waiting,
        }
    }

    /// Rounds that are due, of every keeper.
    pub(crate) fn keep_all(&mut self, now: Timestamp) {
        let keeping = self.processes.iter().filter(|(_, process)| process.keeper.is_some());
        let keeping: Vec<Pod> = keeping.map(|(pod, _)| pod.clone()).collect();
        for pod in keeping {
            self.keep(&pod, now);
        }
    }

    /// No end: a region that nobody elects is asked for in every round.
    fn keep(&mut self, pod: &Pod, now: Timestamp) {
        let round_ms = self.round_ms;
        loop {
            let Some(process) = self.processes.get_mut(pod) else { return };
            let leads: Vec<RegionId> = process.leads.keys().copied().collect();
            let Some(keeper) = process.keeper.as_mut().filter(|keeper| !keeper.answered && keeper.next <= now) else {
                return;
            };
            if keeper.all_led {
                keeper.answered = true;
                return;
            }
            let at = keeper.next;
            keeper.next = Timestamp(at.0 + round_ms);
            let open: Vec<RegionId> = keeper.regions.iter().filter(|region| !leads.contains(region)).copied().collect();
            keeper.all_led = open.is_empty();
            for region in open {
                self.campaign(pod, region, at);
            }
        }
    }
}
