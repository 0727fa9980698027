//! What each command does to the peers of one store when it is applied. Every store decides alike, because it decides
//! from what it has applied before. Restore replays logs with the same functions.

use super::{
    kv::{Key, Lock},
    peer::{Command, Descriptor, Entry, Peer},
};
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) type Peers = BTreeMap<RegionId, Peer>;

/// What became of a command; the live cluster acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It met a changed region and did nothing.
    Stale,
    Done,
    Prepared,
    Split {
        start: Key,
        at: Key,
        child: RegionId,
    },
    Merged {
        source: RegionId,
        seam: Key,
        start: Key,
    },
    PeersChanged {
        add: StoreId,
        remove: StoreId,
    },
}

/// What a restart does by itself: applies all that was known to be committed.
pub(crate) fn apply_committed(peers: &mut Peers, commits: &BTreeMap<RegionId, u64>) {
    let ids: Vec<RegionId> = peers.keys().copied().collect();
    for id in ids {
        let commit = commits.get(&id).copied().unwrap_or(0);
        while let Some(peer) = peers.get(&id) {
            let index = peer.applied + 1;
            let Some(entry) = peer.entry(index).filter(|_| index <= commit).cloned() else { break };
            apply(peers, id, &entry);
            if let Some(peer) = peers.get_mut(&id) {
                peer.applied = index;
            }
        }
    }
}

/// Applies one entry to a region's peer; `applied` is moved by the caller.
pub(crate) fn apply(peers: &mut Peers, id: RegionId, entry: &Entry) -> Applied {
    match &entry.command {
        Command::Split { at, child } => split(peers, id, at, *child),
        Command::CommitMerge { source, prepared_at, entries } => {
            merge(peers, id, entry.index, (*source, *prepared_at), entries)
        }
        command => peers.get_mut(&id).map_or(Applied::Stale, |peer| apply_one(peer, entry.index, command)),
    }
}

fn apply_one(peer: &mut Peer, index: u64, command: &Command) -> Applied {
    match command {
        Command::Ingest { file } => {
            peer.ingested.insert(*file);
            Applied::Done
        }
        Command::PrepareMerge { target } => {
            peer.merging = Some((*target, index));
            peer.region.version += 1;
            peer.region.conf_ver += 1;
            Applied::Prepared
        }
        Command::RollbackMerge => {
            peer.merging = None;
            peer.region.version += 1;
            Applied::Done
        }
        Command::ChangePeer { add, remove } => {
            peer.region.conf_ver += 2;
            peer.region.peers.remove(remove);
            peer.region.peers.insert(*add);
            Applied::PeersChanged { add: *add, remove: *remove }
        }
        Command::Compact { up_to } => {
            let keep = up_to.min(&peer.applied) + 1;
            let gone = usize::try_from(keep.saturating_sub(peer.first)).unwrap_or(0).min(peer.log.len());
            peer.log.drain(..gone);
            peer.first += gone as u64;
            Applied::Done
        }
        data => apply_data(peer, data),
    }
}

fn apply_data(peer: &mut Peer, command: &Command) -> Applied {
    let (Command::Prewrite { key, .. } | Command::Commit { key, .. } | Command::Rollback { key, .. }) = command else {
        return Applied::Done;
    };
    if !peer.region.holds(key) || peer.merging.is_some() {
        return Applied::Stale;
    }
    let row = peer.rows.entry(key.clone()).or_default();
    match command {
        Command::Prewrite { start_ts, primary, value, .. } => {
            row.lock = Some(Lock { start_ts: *start_ts, primary: primary.clone(), value: *value });
        }
        Command::Commit { start_ts, commit_ts, .. } => {
            row.commit(*start_ts, *commit_ts);
        }
        Command::Rollback { start_ts, .. } => {
            row.lock.take_if(|lock| lock.start_ts == *start_ts);
        }
        _ => {}
    }
    Applied::Done
}

/// The child takes the left part with its rows and locks; its `safe_ts` is 0 until its resolver has looked.
fn split(peers: &mut Peers, id: RegionId, at: &[u8], child: RegionId) -> Applied {
    let Some(peer) = peers.get_mut(&id) else { return Applied::Stale };
    if !peer.region.holds(at) || peer.region.start == at || peer.merging.is_some() {
        return Applied::Stale;
    }
    peer.region.version += 1;
    let left = Descriptor { end: at.to_vec(), ..peer.region.clone() };
    peer.region.start = at.to_vec();
    let right = peer.rows.split_off(at);
    let rows = std::mem::replace(&mut peer.rows, right);
    let start = left.start.clone();
    peers.entry(child).or_insert_with(|| Peer::new(left, rows));
    Applied::Split { start, at: at.to_vec(), child }
}

/// The target takes over the source's range. A source peer that is behind catches up from the entries that the command
/// carries; `safe_ts` becomes the lesser of both, and 0 if either was.
fn merge(
    peers: &mut Peers,
    id: RegionId,
    at: u64,
    (source, prepared_at): (RegionId, u64),
    entries: &[Arc<Entry>],
) -> Applied {
    loop {
        let Some(peer) = peers.get(&source) else { return Applied::Stale };
        let index = peer.applied + 1;
        if index > prepared_at {
            break;
        }
        let known = peer.entry(index).or_else(|| entries.iter().find(|entry| entry.index == index)).cloned();
        let Some(entry) = known else { return Applied::Stale };
        apply(peers, source, &entry);
        if let Some(peer) = peers.get_mut(&source) {
            peer.applied = index;
        }
    }
    let Some(gone) = peers.remove(&source) else { return Applied::Stale };
    let Some(peer) = peers.get_mut(&id) else { return Applied::Stale };
    let seam = peer.region.start.clone().max(gone.region.start.clone());
    if gone.region.end == peer.region.start && !gone.region.end.is_empty() {
        peer.region.start = gone.region.start;
    } else {
        peer.region.end = gone.region.end;
    }
    peer.region.version = peer.region.version.max(gone.region.version) + 1;
    peer.rows.extend(gone.rows);
    peer.ingested.extend(gone.ingested);
    peer.safe_ts = peer.safe_ts.min(gone.safe_ts);
    peer.merged_at = at;
    peer.resolver_ready &= peer.safe_ts != Ts::ZERO;
    Applied::Merged { source, seam, start: peer.region.start.clone() }
}
