//! KvPrepareFlashbackToVersion and KvFlashbackToVersion at a region's leader (`facts/restore.md` §3.7).

use super::{Cluster, Died, Pod, RegionError, Unflashed};
use crate::models::regions::{
    kv::{Key, Lock, Row, Rows, Write},
    peer::Peer,
    vote::peer_id,
};
use plane_actor::ports::{Flashback, Piece};
use shared::{ids::StoreId, time::Timestamp, ts::Ts};
use std::ops::Bound;

/// What came of a piece, before it is flashed back.
struct Piecewise {
    engine: usize,
    store: StoreId,
}

/// Who stops in the middle of a flashback.
enum Stopped {
    /// A version above its own commit_ts: TiKV's assertion.
    Assertion(Ts),
    /// The process was ended.
    Ended,
}

impl Cluster {
    /// The piece's region, if this process leads it as it is asked for and can commit.
    fn at_leader(&self, pod: &Pod, piece: &Piece) -> Result<Piecewise, RegionError> {
        let process = self.processes.get(pod).filter(|process| process.is_up()).ok_or(RegionError::Down)?;
        let led = process.leads.get(&piece.region).ok_or(RegionError::NotLeader)?;
        let disk = self.engines.get(process.engine).map(|engine| &engine.disk);
        let peer = disk.and_then(|disk| disk.peers.get(&piece.region)).ok_or(RegionError::NotFound)?;
        if let Some(why) = mismatch(piece, peer, process.store) {
            return Err(why);
        }
        if !led.applied {
            return Err(RegionError::NotApplied);
        }
        if peer.merging.is_some() {
            return Err(RegionError::Merging);
        }
        if !self.has_quorum(process.store, piece.region) {
            return Err(RegionError::NoQuorum);
        }
        Ok(Piecewise { engine: process.engine, store: process.store })
    }

    /// Prepare: the region is in flashback from then on, its locks are rolled back, and the first key that has a newer version is
    /// locked.
    ///
    /// # Errors
    /// Nothing was done.
    pub fn prepare_flashback(&mut self, pod: &Pod, piece: &Piece, flashback: Flashback) -> Result<(), RegionError> {
        let at = self.at_leader(pod, piece)?;
        let disk = self.engines.get_mut(at.engine).map(|engine| &mut engine.disk).ok_or(RegionError::NotFound)?;
        let start_ts = flashback.start_ts;
        disk.kept_mut(piece.region).flashback = Some(start_ts);
        if let Some(peer) = disk.peers.get_mut(&piece.region) {
            for (_, row) in of_piece(&mut peer.rows, piece) {
                row.lock.take_if(|lock| lock.start_ts != start_ts);
            }
            if let Some(first) = first_newer(&mut peer.rows, piece, flashback.version)
                && let Some(row) = peer.rows.get_mut(&first)
            {
                row.lock = Some(Lock { start_ts, primary: first, value: 0 });
            }
        }
        self.replicate(piece.region, pod);
        Ok(())
    }

    /// The flashback itself.
    ///
    /// # Errors
    /// It is not done; some of its keys may be.
    pub fn flashback(
        &mut self,
        pod: &Pod,
        piece: &Piece,
        flashback: Flashback,
        now: Timestamp,
    ) -> Result<(), Unflashed> {
        let Flashback { version, start_ts, commit_ts } = flashback;
        if commit_ts <= start_ts {
            let text = format!("InvalidTxnTso: commit_ts {commit_ts}, start_ts {start_ts}");
            return Err(Unflashed::Answer(text));
        }
        let at = self.at_leader(pod, piece).map_err(Unflashed::Region)?;
        let most = self.end_in_flashback.remove(&at.store).unwrap_or(usize::MAX);
        let (users, forgets) = (self.users.clone(), self.forgets_flashbacks);
        let not_found = Unflashed::Region(RegionError::NotFound);
        let Some(disk) = self.engines.get_mut(at.engine).map(|engine| &mut engine.disk) else { return Err(not_found) };
        let Some(rows) = disk.peers.get_mut(&piece.region).map(|peer| &mut peer.rows) else { return Err(not_found) };
        let (mut stopped, mut taken_back) = (None, false);
        if let Some(first) = first_newer(rows, piece, version) {
            let not_prepared = Unflashed::Region(RegionError::NotPrepared);
            let Some(row) = rows.get(&first) else { return Err(not_prepared) };
            let locked = row.locked_by(start_ts);
            let finished = row.writes.get(&commit_ts).is_some_and(|write| write.start_ts == start_ts);
            if !locked && (!finished || forgets) {
                return Err(not_prepared);
            }
            if locked {
                taken_back = of_piece(rows, piece).any(|(_, row)| {
                    row.writes
                        .range((Bound::Excluded(version), Bound::Unbounded))
                        .any(|(_, w)| users.contains(&w.start_ts))
                });
                stopped = write_all(rows, piece, flashback, &first, most).err();
            }
        }
        if stopped.is_none() {
            disk.kept_mut(piece.region).flashback = None;
        }
        if taken_back && stopped.is_none() {
            self.fault(format!("region {}: a flashback took back what users wrote", piece.region));
        }
        self.replicate(piece.region, pod);
        match stopped {
            None => Ok(()),
            Some(Stopped::Ended) => {
                self.end_process(pod, self.start_ms, now);
                Err(Unflashed::Broken)
            }
            Some(Stopped::Assertion(newest)) => {
                self.die(pod, Died { at: now, store: at.store, region: piece.region, newest, commit_ts });
                Err(Unflashed::Broken)
            }
        }
    }
}

/// Why the region on this store is not the one that was meant.
pub(crate) fn mismatch(piece: &Piece, peer: &Peer, store: StoreId) -> Option<RegionError> {
    let region = &peer.region;
    let end_within = region.end.is_empty() || !piece.end.is_empty() && piece.end <= region.end;
    match () {
        () if piece.store != store => Some(RegionError::Store),
        () if (region.conf_ver, region.version) != (piece.conf_ver, piece.version) => Some(RegionError::Epoch),
        () if piece.peer != peer_id(piece.region.0, store) => Some(RegionError::Peer),
        () if piece.start < region.start || !end_within => Some(RegionError::Keys),
        () => None,
    }
}

/// Rows of a piece.
fn of_piece<'a>(rows: &'a mut Rows, piece: &Piece) -> impl Iterator<Item = (&'a Key, &'a mut Row)> + use<'a> {
    let end = if piece.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(piece.end.clone()) };
    rows.range_mut((Bound::Included(piece.start.clone()), end))
}

fn newest(row: &Row) -> Option<Ts> {
    row.writes.last_key_value().map(|(at, _)| *at)
}

/// The first key with a version above the one to go back to.
fn first_newer(rows: &mut Rows, piece: &Piece, version: Ts) -> Option<Key> {
    of_piece(rows, piece)
        .find(|(_, row)| newest(row).is_some_and(|newest| newest > version))
        .map(|(key, _)| key.clone())
}

/// Key by key; the first one, which holds the lock, at the end.
fn write_all(rows: &mut Rows, piece: &Piece, to: Flashback, first: &Key, most: usize) -> Result<(), Stopped> {
    let newer = |row: &Row| newest(row).filter(|newest| *newest > to.version);
    let keys: Vec<Key> =
        of_piece(rows, piece).filter(|(_, row)| newer(row).is_some()).map(|(key, _)| key.clone()).collect();
    let others = keys.iter().filter(|key| *key != first);
    for (done, key) in others.chain([first]).enumerate() {
        let Some(row) = rows.get_mut(key) else { continue };
        let Some(newest) = newest(row) else { continue };
        if newest > to.commit_ts {
            return Err(Stopped::Assertion(newest));
        }
        if done >= most {
            return Err(Stopped::Ended);
        }
        let before = row.at(to.version).map(|(_, write)| write).filter(|write| !write.gone);
        let write =
            Write { start_ts: to.start_ts, value: before.map_or(0, |write| write.value), gone: before.is_none() };
        row.writes.insert(to.commit_ts, write);
        row.lock.take_if(|lock| lock.start_ts == to.start_ts);
    }
    Ok(())
}
