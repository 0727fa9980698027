//! A TiDB cluster that is being restored, in all its planes: PD with its mark, pods that wait for volumes, TiKV in recovery
//! mode on images of a backup, elections, flashback (`facts/restore.md` §2.3, §2.4, §3, §4).
//!
//! Pure: the caller brings time and says what lies on volumes ([`Beneath`]). What the real system's processes die of is a
//! death here ([`Cluster::deaths`]), and what a restore must never bring about is a fault ([`Cluster::faults`]); both are
//! for whoever checks, no caller is told. Simplified honestly: who leads brings every member that is up to its own state at
//! once, and a merge that was only prepared stays so.

mod beneath;
mod bind;
mod disk;
mod elect;
mod flashback;
mod keeper;
mod object;
mod pd;
mod place;
mod plane;
mod process;
mod read;
mod refusal;
mod start;
#[cfg(test)]
mod tests;

pub use beneath::{Beneath, Ebs, Unfit};
pub use disk::{Disk, Ident};
pub use keeper::{LeadCall, NoAnswer, Standing};
pub use pd::{Believed, Forbidden, Pd, Registered};
pub use plane::{Plane, Shape};
pub use process::{Died, Mode, Pod, Process};
pub(crate) use read::LedRows;
pub use refusal::{RegionError, Unflashed};

use crate::models::regions::vote::peer_id;
use process::Engine;
use shared::{
    ids::{RegionId, StoreId},
    time::Timestamp,
    ts::Ts,
};
use std::collections::{BTreeMap, BTreeSet};

/// Between two looks at everything.
const STEP_MS: i64 = 100;
/// From a pod that can run to its TiKV that asks PD.
const START_MS: i64 = 20_000;
/// Between two rounds of the keeper of leaders (`facts/restore.md` §3.4).
const ROUND_MS: i64 = 10_000;
/// From a start without PD's mark to the first election that a copy begins by itself.
const ELECTION_MS: i64 = 10_000;
/// What a pod that is deleted is given to end.
const GRACE_MS: i64 = 2_000;
/// From an election to a log that is applied.
const APPLY_MS: i64 = 300;
/// Longest time that is played step by step; whoever stays away longer has missed nothing that repeats.
const LONGEST_MS: i64 = 600_000;
/// Faults kept; the first ones tell.
const FAULTS: usize = 1_000;

/// All of it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// PD.
    pub pd: Pd,
    /// By name.
    pub planes: BTreeMap<String, Plane>,
    /// TiKV processes, by pod.
    pub processes: BTreeMap<Pod, Process>,
    /// Ends by TiKV's assertion, oldest first.
    pub deaths: Vec<Died>,
    /// What must not be, oldest first.
    pub faults: Vec<String>,
    /// TiKVs of these planes get no answer to their question for the mark.
    pub cannot_ask: BTreeSet<String>,
    /// Nobody votes for another one's copy of these.
    pub deaf: BTreeSet<RegionId>,
    /// ReadRegionMeta of these stores ends after so many.
    pub streams_end_after: BTreeMap<StoreId, usize>,
    /// These stores' processes end in their next flashback, after so many keys.
    pub end_in_flashback: BTreeMap<StoreId, usize>,
    /// A region whose flashback has ended answers FlashbackNotPrepared to it, and not that it is done: what TiKV does has been
    /// read both ways (`facts/restore.md` §3.7).
    pub forgets_flashbacks: bool,
    /// From an election to a log that is applied, in milliseconds.
    pub apply_ms: i64,
    /// From a pod that can run to its TiKV that asks PD, in milliseconds.
    pub start_ms: i64,
    /// Between two rounds of the keeper of leaders, and after the last one, in milliseconds.
    pub round_ms: i64,
    /// From a start without PD's mark to the first election that a copy begins by itself, in milliseconds.
    pub election_ms: i64,
    engines: Vec<Engine>,
    /// start_ts of what users wrote.
    users: BTreeSet<Ts>,
    at: Timestamp,
    started: u64,
    calls: u64,
    grown: bool,
    wrote: bool,
}

impl Cluster {
    /// PD is up, and nothing else.
    #[must_use]
    pub fn new(pd: Pd, shapes: Vec<Shape>, now: Timestamp) -> Self {
        let mut planes: BTreeMap<String, Plane> =
            shapes.into_iter().map(|shape| (shape.plane.clone(), Plane::new(shape))).collect();
        for plane in planes.values_mut() {
            plane.run_operator(now);
        }
        Self {
            pd,
            planes,
            processes: BTreeMap::new(),
            deaths: Vec::new(),
            faults: Vec::new(),
            cannot_ask: BTreeSet::new(),
            deaf: BTreeSet::new(),
            streams_end_after: BTreeMap::new(),
            end_in_flashback: BTreeMap::new(),
            forgets_flashbacks: false,
            apply_ms: APPLY_MS,
            start_ms: START_MS,
            round_ms: ROUND_MS,
            election_ms: ELECTION_MS,
            engines: Vec::new(),
            users: BTreeSet::new(),
            at: now,
            started: 0,
            calls: 0,
            grown: false,
            wrote: false,
        }
    }

    /// Lets everything happen that is due.
    pub fn advance(&mut self, now: Timestamp, beneath: &dyn Beneath) {
        self.at = self.at.max(Timestamp(now.0 - LONGEST_MS));
        while self.at.0 + STEP_MS <= now.0 {
            self.at = Timestamp(self.at.0 + STEP_MS);
            self.step(self.at, beneath);
        }
    }

    fn step(&mut self, now: Timestamp, beneath: &dyn Beneath) {
        self.run_pods(now, beneath);
        self.start_due(now, beneath);
        self.keep_all(now);
        self.apply_due(now);
        self.elect_by_themselves(now);
        self.tell_pd(now);
        self.live(now);
    }

    /// Objects become pods, and pods processes.
    fn run_pods(&mut self, now: Timestamp, beneath: &dyn Beneath) {
        let mut launched = Vec::new();
        for (name, plane) in &mut self.planes {
            plane.run_operator(now);
            plane.run_binder();
            let pods: Vec<String> = plane.pods.keys().cloned().collect();
            for pod in pods {
                let key = (name.clone(), pod.clone());
                if self.processes.contains_key(&key) {
                    continue;
                }
                match plane.mounts(&pod, beneath) {
                    Ok(volumes) => launched.push((key, plane.address(&pod), volumes)),
                    Err(why) => {
                        if let Some(pod) = plane.pods.get_mut(&pod) {
                            pod.waits_for = why;
                        }
                    }
                }
            }
        }
        for (key, address, volumes) in launched {
            if let Some(pod) = self.planes.get_mut(&key.0).and_then(|plane| plane.pods.get_mut(&key.1)) {
                pod.waits_for.clear();
                pod.started = now;
            }
            self.launch(key, address, volumes, Timestamp(now.0 + self.start_ms));
        }
    }

    /// What follows once the cluster serves by itself: regions split, and users come.
    fn live(&mut self, now: Timestamp) {
        let serves = self.planes.values().any(|plane| plane.serves);
        if serves && self.pd.marked {
            self.fault("TiDB and TiFlash run while PD is marked".to_owned());
        }
        if !self.serves() {
            return;
        }
        // Without planes the ids are those of somebody else's PD.
        if !self.planes.is_empty() && !std::mem::replace(&mut self.grown, true) {
            self.grow();
        }
        if serves && !std::mem::replace(&mut self.wrote, true) {
            self.users_write(now);
        }
    }

    /// The first split takes an id for its region and one for each peer. Any that is there already is two things from then on
    /// (`facts/restore.md` §3.2).
    fn grow(&mut self) {
        for _ in 0..4 {
            let id = self.pd.alloc_id();
            let peers = self.engines.iter().flat_map(|engine| &engine.disk.peers);
            let holder = peers.into_iter().find(|(region, peer)| {
                let members = &peer.region.peers;
                region.0 == id || members.iter().any(|store| peer_id(region.0, *store) == id)
            });
            let region = holder.map(|(region, _)| *region);
            if let Some(region) = region {
                self.fault(format!("PD gave out the id {id}, which region {region} has"));
            }
            if self.engines.iter().any(|engine| engine.disk.ident.store.0 == id) {
                self.fault(format!("PD gave out the id {id}, which a store has"));
            }
        }
    }

    /// Users come, wherever no operator lets TiDB start by itself.
    pub fn users_come(&mut self, now: Timestamp) {
        self.wrote = true;
        self.users_write(now);
    }

    /// Deletes TiKV pods of a plane that began before then (Unix seconds); whoever runs the cluster makes them anew at once.
    pub fn restart_stores(&mut self, plane: &str, before: i64, now: Timestamp) -> u32 {
        let Some(kept) = self.planes.get_mut(plane) else { return 0 };
        let old = kept.pods.iter_mut().filter(|(_, pod)| pod.started.0.div_euclid(1_000) < before);
        let mut names = Vec::new();
        for (name, pod) in old {
            pod.started = now;
            names.push(name.clone());
        }
        for name in &names {
            self.restart(&(plane.to_owned(), name.clone()), now);
        }
        u32::try_from(names.len()).unwrap_or(u32::MAX)
    }

    /// A process ends, and another one starts in its place.
    pub fn restart(&mut self, pod: &Pod, now: Timestamp) {
        self.end_process(pod, GRACE_MS + self.start_ms, now);
    }

    pub(crate) fn fault(&mut self, text: String) {
        if self.faults.len() < FAULTS && !self.faults.contains(&text) {
            self.faults.push(text);
        }
    }
}
