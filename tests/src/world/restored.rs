//! What became of a target: its bank read through its leaders, and everything that must not have happened.

use super::{
    World,
    engine::State,
    kv::{Key, Write, account_of, read_all},
    restore::{Restored, Torn, TornHalf},
    target::Target,
};
use crate::models::restored::{Cluster, Died, LedRows};
use shared::{
    ids::{SnapshotId, StoreId, VolumeId},
    ts::Ts,
};
use std::collections::BTreeMap;

/// Rows whose faults are named.
const NAMED: usize = 20;

impl World {
    /// Looks at a target, or does something to it. `None`: there is none of this name.
    pub fn alter_target<T>(&self, namespace: &str, name: &str, act: impl FnOnce(&mut Cluster) -> T) -> Option<T> {
        self.with(|state| state.target_named(namespace, name).map(|target| act(&mut target.cluster)))
    }

    /// TiKVs of it that ended by their own assertion.
    pub fn deaths(&self, namespace: &str, name: &str) -> Vec<Died> {
        self.alter_target(namespace, name, |cluster| cluster.deaths.clone()).unwrap_or_default()
    }

    /// A store of a target ends and starts again. False: it does not run.
    pub fn restart_target(&self, namespace: &str, name: &str, store: StoreId) -> bool {
        let now = self.wall();
        let restarted = self.alter_target(namespace, name, |cluster| {
            let up = cluster.processes.values().find(|process| process.is_up() && process.store == store)?;
            let pod = up.pod.clone();
            cluster.restart(&pod, now);
            Some(())
        });
        restarted.flatten().is_some()
    }

    /// A volume of a snapshot in a zone, made by a person who waited until it was there. `None`: there is no such snapshot.
    pub fn volume_by_hand(&self, snapshot: &SnapshotId, zone: &str) -> Option<VolumeId> {
        self.with(|state| state.volume_by_hand(snapshot, zone))
    }

    /// The bank of a target, as a reader sees it now, judged as of `commit_ts`, to which it was rolled back. `None`: there is no such
    /// target.
    pub fn audit(&self, namespace: &str, name: &str, commit_ts: Ts) -> Option<Restored> {
        self.with(|state| {
            let mut targets = std::mem::take(&mut state.targets);
            let now = state.wall();
            let found =
                targets.iter_mut().find(|target| target.spec.namespace == namespace && target.spec.name == name);
            let audited = found.map(|target| {
                let read_at = target.cluster.pd.tso(now);
                state.audit(target, read_at, commit_ts)
            });
            state.targets = targets;
            audited
        })
    }
}

impl State {
    fn audit(&self, target: &Target, read_at: Ts, commit_ts: Ts) -> Restored {
        let cluster = &target.cluster;
        let led: Vec<LedRows<'_>> = cluster.led().collect();
        let (mut balances, mut seen, mut faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for led in &led {
            let now = read_all(&led.peer.rows, read_at);
            let then = read_all(&led.peer.rows, commit_ts);
            if led.flashback.is_some() {
                faults.push(format!("region {} is in flashback", led.region));
            }
            let values = |of: &BTreeMap<Key, (Ts, Write)>| -> BTreeMap<Key, i64> {
                of.iter().map(|(key, (_, write))| (key.clone(), write.value)).collect()
            };
            let (now, old) = (values(&now), values(&then));
            let differ = now.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(|(key, _)| key);
            let missing = old.keys().filter(|key| !now.contains_key(*key));
            for key in differ.chain(missing).take(NAMED) {
                let key = String::from_utf8_lossy(key);
                faults.push(format!("region {}: {key} is not what it was at {commit_ts}", led.region));
            }
            balances.extend(now.into_iter().filter(|(key, _)| account_of(key).is_some()));
            seen.extend(then);
        }
        if !cluster.is_whole() {
            faults.push("led regions do not cover the key space exactly once".to_owned());
        }
        faults.extend(cluster.faults.iter().cloned());
        faults.extend(cluster.deaths.iter().map(|died| format!("a TiKV died: {died:?}")));
        let (expected, total) = (self.expected_sum(), balances.values().sum());
        let torn = self.torn_transfers(&seen, commit_ts).map(|(transfer, present, absent)| Torn {
            transfer: transfer.clone(),
            present: self.half_of(&led, present),
            absent: self.half_of(&led, absent),
        });
        Restored {
            commit_ts,
            stores: cluster.processes.values().filter(|process| process.is_up()).count(),
            regions: led.len(),
            accounts: balances.len() as u64,
            expected,
            total,
            sum_ok: total == expected && balances.len() as u64 == u64::from(self.config.accounts),
            torn: torn.collect(),
            faults,
        }
    }

    /// Where an account was read; zeros if nobody leads it.
    fn half_of(&self, led: &[LedRows<'_>], account: u32) -> TornHalf {
        let key = super::kv::account_key(account);
        let home = led.iter().find(|led| led.peer.region.holds(&key));
        let snapshots = home.iter().flat_map(|home| home.volumes).filter_map(|handle| self.made_of(handle)?.snapshot);
        TornHalf {
            account,
            region: home.map_or(0, |home| home.region.0),
            store: home.map_or(0, |home| home.store.0),
            plane: home.map(|home| home.plane.to_owned()).unwrap_or_default(),
            snapshots: snapshots.collect(),
            cut_at_ms: 0,
        }
    }
}
