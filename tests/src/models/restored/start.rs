//! What a TiKV decides at its start, and what ends with its process (`facts/restore.md` §3.5).

use super::{
    Cluster, Died, Pod, Unfit,
    beneath::Beneath,
    disk::{Disk, Ident},
    process::{Engine, Mode, Process},
};
use shared::{ids::StoreId, time::Timestamp};
use std::collections::BTreeMap;

/// Between two starts of one that does not come up.
const BACK_OFF_MS: i64 = 10_000;
impl Cluster {
    /// A pod's container starts.
    pub(crate) fn launch(&mut self, pod: Pod, address: String, volumes: Vec<String>, now: Timestamp) {
        self.started += 1;
        let process = Process {
            pod: pod.clone(),
            address,
            volumes,
            mode: Err("starting".to_owned()),
            store: StoreId(0),
            at: now,
            number: self.started,
            engine: 0,
            leads: BTreeMap::new(),
            keeper: None,
        };
        self.processes.insert(pod, process);
    }

    /// Those that are due come up, or say why not and are started again later.
    pub(crate) fn start_due(&mut self, now: Timestamp, beneath: &dyn Beneath) {
        let due = |process: &Process| !process.is_up() && process.at <= now;
        let due: Vec<Pod> =
            self.processes.iter().filter(|(_, process)| due(process)).map(|(pod, _)| pod.clone()).collect();
        for pod in due {
            let begun = self.begin(&pod, now, beneath);
            let Some(process) = self.processes.get_mut(&pod) else { continue };
            match begun {
                Ok((mode, store, engine)) => {
                    (process.mode, process.store, process.engine, process.at) = (Ok(mode), store, engine, now);
                    self.catch_up(&pod);
                }
                Err(why) => {
                    process.at = Timestamp(now.0 + BACK_OFF_MS);
                    if process.mode.as_ref().err() != Some(&why) {
                        process.mode = Err(why);
                    }
                }
            }
        }
    }

    /// One start, from the question for the mark to the registration in PD.
    fn begin(&mut self, pod: &Pod, now: Timestamp, beneath: &dyn Beneath) -> Result<(Mode, StoreId, usize), String> {
        let process = self.processes.get(pod).ok_or("no such pod")?;
        let (volumes, address) = (process.volumes.clone(), process.address.clone());
        // A question that fails counts as "not marked".
        let mode = if self.pd.marked && !self.cannot_ask.contains(&pod.0) { Mode::Recovery } else { Mode::Normal };
        let engine = match self.engine_on(&volumes, beneath) {
            Ok(engine) => engine,
            Err(Unfit::Misfit(why)) => {
                self.fault(format!("pod {}: {why}", pod.1));
                return Err(why);
            }
            Err(Unfit::Empty) if mode == Mode::Recovery => {
                return Err("panic: the volumes hold no StoreIdent".to_owned());
            }
            Err(Unfit::Empty) => self.bootstrap_empty(pod, volumes),
        };
        let ident = self.engines[engine].disk.ident;
        if ident.cluster != self.pd.cluster {
            if mode != Mode::Recovery {
                return Err(format!("cluster ID mismatch, local {} != remote {}", ident.cluster, self.pd.cluster));
            }
            self.engines[engine].disk.ident.cluster = self.pd.cluster;
        }
        let twin = self.processes.values().find(|other| other.is_up() && other.store == ident.store);
        if let Some(twin) = twin.map(|twin| twin.pod.1.clone()) {
            self.fault(format!("store {} runs twice: in pod {twin} and in pod {}", ident.store, pod.1));
        }
        if mode == Mode::Recovery {
            self.pd.bootstrap();
        }
        if let Err(why) = self.pd.put_store(ident.store, &address, now) {
            self.fault(why.clone());
            return Err(why);
        }
        Ok((mode, ident.store, engine))
    }

    /// The engine on these volumes: one that ran there before, or what the images hold.
    fn engine_on(&mut self, volumes: &[String], beneath: &dyn Beneath) -> Result<usize, Unfit> {
        if let Some(known) = self.engines.iter().position(|engine| engine.volumes == volumes) {
            return Ok(known);
        }
        if let Some(other) = self.engines.iter().find(|engine| engine.volumes.iter().any(|one| volumes.contains(one))) {
            let store = other.disk.ident.store;
            return Err(Unfit::Misfit(format!(
                "volumes of store {store} are mounted with those of others: {volumes:?}"
            )));
        }
        let disk = beneath.disk(volumes)?;
        self.engines.push(Engine { volumes: volumes.to_vec(), disk });
        Ok(self.engines.len() - 1)
    }

    /// Without the mark an empty TiKV is a new store, and in PD's way of those to come.
    fn bootstrap_empty(&mut self, pod: &Pod, volumes: Vec<String>) -> usize {
        self.pd.bootstrap();
        let store = StoreId(self.pd.alloc_id());
        self.fault(format!("pod {}: an empty TiKV became store {store}", pod.1));
        let disk = Disk::empty(Ident { cluster: self.pd.cluster, store });
        self.engines.push(Engine { volumes, disk });
        self.engines.len() - 1
    }

    /// The process ends; its pod starts another one after `after_ms`. What it led is led by nobody.
    pub(crate) fn end_process(&mut self, pod: &Pod, after_ms: i64, now: Timestamp) {
        let Some(process) = self.processes.get_mut(pod) else { return };
        self.started += 1;
        process.number = self.started;
        process.mode = Err("starting".to_owned());
        process.at = Timestamp(now.0 + after_ms);
        process.leads.clear();
        process.keeper = None;
    }

    /// TiKV's own assertion ended it.
    pub(crate) fn die(&mut self, pod: &Pod, died: Died) {
        let now = died.at;
        self.deaths.push(died);
        self.end_process(pod, BACK_OFF_MS, now);
    }
}
