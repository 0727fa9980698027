//! What is read of a restored cluster's stores: lists of leaders, checksums, rows; and what users write.

use super::{Cluster, Pod, RegionError, flashback::mismatch};
use crate::{
    listed::Listed,
    models::regions::{
        kv::{Key, Row, Write},
        peer::{Command, Peer},
        vote::peer_id,
    },
};
use plane_actor::ports::{Leading, Piece, RegionAt, Summed};
use shared::{
    ids::{RegionId, StoreId},
    tiling::Tiling,
    time::Timestamp,
    ts::Ts,
};
use std::ops::Bound;

/// A region as its leader has it.
#[derive(Clone, Copy)]
pub(crate) struct LedRows<'a> {
    pub(crate) region: RegionId,
    pub(crate) store: StoreId,
    pub(crate) plane: &'a str,
    pub(crate) volumes: &'a [String],
    pub(crate) peer: &'a Peer,
    pub(crate) flashback: Option<Ts>,
}

impl Cluster {
    /// Every region that somebody leads.
    pub(crate) fn led(&self) -> impl Iterator<Item = LedRows<'_>> {
        self.processes.values().filter(|process| process.is_up()).flat_map(move |process| {
            process.leads.keys().filter_map(move |region| {
                let disk = &self.engines.get(process.engine)?.disk;
                let (peer, kept) = (disk.peers.get(region)?, disk.kept(*region));
                Some(LedRows {
                    region: *region,
                    store: process.store,
                    plane: &process.pod.0,
                    volumes: &process.volumes,
                    peer,
                    flashback: kept.flashback,
                })
            })
        })
    }

    /// CheckPendingAdminOp: what this process leads.
    #[must_use]
    pub fn listed(&self, pod: &Pod) -> Vec<Listed> {
        let leads = self.processes.get(pod).filter(|process| process.is_up()).map(|process| process.store);
        let listed = |led: LedRows<'_>| Listed {
            at: RegionAt { region: led.region, conf_ver: led.peer.region.conf_ver, version: led.peer.region.version },
            start: led.peer.region.start.clone(),
            end: led.peer.region.end.clone(),
            pending: is_pending(led.peer),
        };
        self.led().filter(|led| Some(led.store) == leads).map(listed).collect()
    }

    /// The same with what a restore looks at.
    #[must_use]
    pub fn leading(&self, pod: &Pod) -> Vec<Leading> {
        let up = self.processes.get(pod).filter(|process| process.is_up());
        up.map(|process| self.led_by(process.store)).unwrap_or_default()
    }

    /// What a store leads, wherever it runs.
    #[must_use]
    pub fn led_by(&self, store: StoreId) -> Vec<Leading> {
        let leading = |led: LedRows<'_>| {
            let region = &led.peer.region;
            Leading {
                piece: Piece {
                    region: led.region,
                    conf_ver: region.conf_ver,
                    version: region.version,
                    store: led.store,
                    peer: peer_id(led.region.0, led.store),
                    start: region.start.clone(),
                    end: region.end.clone(),
                },
                members: region.peers.iter().copied().collect(),
                pending: is_pending(led.peer),
                in_flashback: led.flashback.is_some(),
            }
        };
        self.led().filter(|led| led.store == store).map(leading).collect()
    }

    /// WaitApply of a region at an epoch, on a store that has a copy; `None`: not yet.
    #[must_use]
    pub fn wait_apply(&self, pod: &Pod, at: RegionAt) -> Option<Result<(), String>> {
        let process = self.processes.get(pod).filter(|process| process.is_up());
        let peer = process.and_then(|process| self.engines.get(process.engine)?.disk.peers.get(&at.region));
        let Some(peer) = peer else { return Some(Err(format!("region_not_found: region {}", at.region))) };
        if (peer.region.conf_ver, peer.region.version) != (at.conf_ver, at.version) {
            return Some(Err(format!("epoch_not_match: region {}", at.region)));
        }
        (peer.applied >= peer.last()).then_some(Ok(()))
    }

    /// Coprocessor checksum of a piece as a reader at this timestamp sees it.
    ///
    /// # Errors
    /// The region is not as it was asked for, or a lock is in the way.
    pub fn checksum(&self, pod: &Pod, piece: &Piece, at: Ts) -> Result<Summed, RegionError> {
        let process = self.processes.get(pod).filter(|process| process.is_up()).ok_or(RegionError::Down)?;
        let led = self.led().find(|led| led.region == piece.region && led.store == process.store);
        let led = led.ok_or(RegionError::NotLeader)?;
        if let Some(why) = mismatch(piece, led.peer, led.store) {
            return Err(why);
        }
        if let Some(start_ts) = led.flashback {
            return Err(RegionError::InFlashback(start_ts));
        }
        if led.peer.applied < led.peer.last() {
            return Err(RegionError::NotApplied);
        }
        let end = if piece.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(piece.end.clone()) };
        let mut summed = Summed::default();
        for (key, row) in led.peer.rows.range((Bound::Included(piece.start.clone()), end)) {
            if let Some(lock) = row.lock.as_ref().filter(|lock| lock.start_ts <= at) {
                return Err(RegionError::Locked(lock.start_ts));
            }
            if let Some((_, write)) = row.at(at).filter(|(_, write)| !write.gone) {
                summed.checksum ^= digest(key, write.value);
                summed.keys += 1;
                summed.bytes += key.len() as u64 + 8;
            }
        }
        Ok(summed)
    }

    /// Which store a pod runs.
    #[must_use]
    pub fn store_in(&self, pod: &Pod) -> StoreId {
        self.processes.get(pod).map_or(StoreId(0), |process| process.store)
    }

    /// Do led regions cover the key space exactly once?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let region = |led: LedRows<'_>| Tiling::of_region(&led.peer.region.start, &led.peer.region.end);
        self.led().filter_map(region).sum::<Tiling>().is_whole()
    }

    /// Every process is up, without the mark, and every key has a leader.
    #[must_use]
    pub fn serves(&self) -> bool {
        let normal = |process: &super::Process| process.is_up() && !process.recovers();
        !self.processes.is_empty() && self.processes.values().all(normal) && self.is_whole()
    }

    /// Clients are back, and each region's first row is written anew, with the value that it has.
    pub(crate) fn users_write(&mut self, now: Timestamp) {
        let rows: Vec<(Pod, RegionId, Key, i64, bool)> = self
            .processes
            .iter()
            .flat_map(|(pod, process)| process.leads.keys().map(move |region| (pod, process, *region)))
            .filter_map(|(pod, process, region)| {
                let disk = &self.engines.get(process.engine)?.disk;
                let (key, row) = disk.peers.get(&region)?.rows.iter().find(|(_, row)| !row.writes.is_empty())?;
                let value = row.writes.last_key_value()?.1.value;
                Some((pod.clone(), region, key.clone(), value, disk.kept(region).flashback.is_some()))
            })
            .collect();
        for (pod, region, key, value, in_flashback) in rows {
            if in_flashback {
                self.fault(format!("region {region}: users came while it was in flashback"));
                continue;
            }
            let (start_ts, commit_ts) = (self.pd.tso(now), self.pd.tso(now));
            self.users.insert(start_ts);
            let engine = self.processes.get(&pod).map_or(usize::MAX, |process| process.engine);
            let peer = self.engines.get_mut(engine).and_then(|engine| engine.disk.peers.get_mut(&region));
            if let Some(row) = peer.and_then(|peer| peer.rows.get_mut(&key)) {
                row.writes.insert(commit_ts, Write::put(start_ts, value));
            }
            self.replicate(region, &pod);
        }
    }

    /// Versions above a timestamp, whoever holds them: what a flashback with this commit_ts would die of.
    #[must_use]
    pub fn newest_version(&self) -> Option<Ts> {
        let newest = |row: &Row| row.writes.last_key_value().map(|(at, _)| *at);
        let peers = self.engines.iter().flat_map(|engine| engine.disk.peers.values());
        peers.flat_map(|peer| peer.rows.values()).filter_map(newest).max()
    }
}

/// An admin command is not applied yet, or a merge is half done.
fn is_pending(peer: &Peer) -> bool {
    peer.merging.is_some() || peer.after(peer.applied).iter().any(|entry| is_admin(&entry.command))
}

fn is_admin(command: &Command) -> bool {
    match command {
        Command::Noop | Command::Prewrite { .. } | Command::Commit { .. } | Command::Rollback { .. } => false,
        Command::Ingest { .. }
        | Command::Split { .. }
        | Command::PrepareMerge { .. }
        | Command::CommitMerge { .. }
        | Command::RollbackMerge
        | Command::ChangePeer { .. }
        | Command::Compact { .. } => true,
    }
}

/// FNV-1a of key and value; TiKV's is another one, and only equality matters.
fn digest(key: &[u8], value: i64) -> u64 {
    let bytes = key.iter().copied().chain(value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
