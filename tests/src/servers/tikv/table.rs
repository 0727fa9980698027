//! Regions with their peers, as far as leases and WaitApply look at them (`facts/pd-tikv.md` §2.2, §2.5).

use crate::models::tikv::{Answer, Asked, Target};
use plane_actor::edge::proto::{
    backup::{PrepareSnapshotBackupEventType, PrepareSnapshotBackupResponse},
    errorpb,
    metapb::{self, RegionEpoch},
};
use shared::ts::Ts;
use std::{collections::BTreeMap, fmt};
use tokio::sync::oneshot;

/// Where a region's safe_ts comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SafeTs {
    /// Follows the clock.
    Advancing,
    /// Stands still; 0 is not initialised.
    Fixed(Ts),
}

#[derive(Debug)]
struct Wait {
    target: Target,
    echo: metapb::Region,
    answer: oneshot::Sender<PrepareSnapshotBackupResponse>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: u64,
    last: u64,
    applied: u64,
    voted: bool,
    /// Rare, and a cluster may have millions of peers.
    wait: Option<Box<Wait>>,
}

impl Peer {
    pub(super) fn new(id: u64) -> Self {
        // TiKV's logs begin at 5.
        Self { id, last: 5, applied: 5, voted: true, wait: None }
    }
}

/// One region; peers by store.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) id: u64,
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
    pub(super) epoch: RegionEpoch,
    pub(super) peers: BTreeMap<u64, Peer>,
    pub(super) leader: Option<u64>,
    pub(super) term: u64,
    pub(super) pending_admin: bool,
    pub(super) safe_ts: SafeTs,
}

/// What tests see of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionView {
    /// PD's number.
    pub id: u64,
    /// Empty: −∞.
    pub start: Vec<u8>,
    /// Empty: +∞.
    pub end: Vec<u8>,
    /// RegionEpoch.conf_ver
    pub conf_ver: u64,
    /// RegionEpoch.version
    pub version: u64,
    /// `None`: between leaders.
    pub leader: Option<u64>,
    /// Stores with a peer.
    pub stores: Vec<u64>,
}

/// The leader's store rejects the command while it is leased (§2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspended;

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[Suspended] Preparing disk snapshot backup")
    }
}

impl std::error::Error for Suspended {}

impl Region {
    pub(super) fn view(&self) -> RegionView {
        RegionView {
            id: self.id,
            start: self.start.clone(),
            end: self.end.clone(),
            conf_ver: self.epoch.conf_ver,
            version: self.epoch.version,
            leader: self.leader,
            stores: self.peers.keys().copied().collect(),
        }
    }

    pub(super) fn to_pb(&self) -> metapb::Region {
        metapb::Region {
            id: self.id,
            start_key: self.start.clone(),
            end_key: self.end.clone(),
            region_epoch: Some(self.epoch),
            peers: self.peers.iter().map(|(store, peer)| metapb::Peer { id: peer.id, store_id: *store }).collect(),
            ..metapb::Region::default()
        }
    }

    /// The leader's peer, as PD wants it.
    pub(super) fn leader_pb(&self) -> Option<metapb::Peer> {
        let store = self.leader?;
        self.peers.get(&store).map(|peer| metapb::Peer { id: peer.id, store_id: store })
    }

    /// An entry is appended everywhere and applied nowhere yet.
    pub(super) fn propose(&mut self) {
        self.peers.values_mut().for_each(|peer| peer.last += 1);
    }

    /// Every peer (or that of one store) applies what it has; waits notice now, and only now.
    pub(super) fn apply(&mut self, store: Option<u64>) {
        for (at, peer) in &mut self.peers {
            if store.is_some_and(|store| store != *at) {
                continue;
            }
            peer.applied = peer.last;
            let outcome = |wait: &Wait| wait.target.outcome(self.term, Some(peer.applied));
            let Some(reached) = peer.wait.as_deref().and_then(outcome) else { continue };
            let Some(wait) = peer.wait.take() else { continue };
            let error = (!reached).then(|| errorpb::Error {
                message: "wait apply has been aborted: the term has changed".to_owned(),
                stale_command: Some(errorpb::StaleCommand {}),
                ..errorpb::Error::default()
            });
            // The stream that asked may be gone.
            let _ = wait.answer.send(done(wait.echo, error));
        }
    }

    /// Last index of a copy's log; `None`: the store has none.
    pub(super) fn last_on(&self, store: u64) -> Option<u64> {
        self.peers.get(&store).map(|peer| peer.last)
    }

    /// A process that restarted knows no waits.
    pub(super) fn forget_wait(&mut self, store: u64) {
        if let Some(peer) = self.peers.get_mut(&store) {
            peer.wait = None;
        }
    }

    /// A peer that has never voted: a fresh one.
    pub(super) fn never_voted(&mut self, store: u64) {
        if let Some(peer) = self.peers.get_mut(&store) {
            peer.voted = false;
        }
    }
}

fn done(region: metapb::Region, error: Option<errorpb::Error>) -> PrepareSnapshotBackupResponse {
    PrepareSnapshotBackupResponse {
        ty: PrepareSnapshotBackupEventType::WaitApplyDone.into(),
        region: Some(region),
        error,
        last_lease_is_valid: false,
    }
}

/// WaitApply of one region on one store. The answer may have been given already.
pub(super) fn wait_apply(
    regions: &mut BTreeMap<u64, Region>,
    store: u64,
    asked: metapb::Region,
) -> oneshot::Receiver<PrepareSnapshotBackupResponse> {
    let (answer, receiver) = oneshot::channel();
    let region_id = asked.id;
    let at_once = |answer: oneshot::Sender<_>, error| {
        // The receiver is in this function's hands.
        let _ = answer.send(done(asked.clone(), error));
    };
    let Some((region, leads)) = regions.get_mut(&region_id).map(|region| {
        let leads = region.leader == Some(store);
        (region, leads)
    }) else {
        at_once(answer, Some(not_found(region_id)));
        return receiver;
    };
    let current = region.to_pb();
    let (epoch, term) = (region.epoch, region.term);
    let Some(peer) = region.peers.get_mut(&store) else {
        at_once(answer, Some(not_found(region_id)));
        return receiver;
    };
    let met = Asked {
        waited_for: peer.wait.is_some(),
        same_epoch: asked.region_epoch == Some(epoch),
        last: peer.last,
        applied: peer.applied,
        term,
        fresh: !leads && !peer.voted,
    };
    match met.answer() {
        Answer::Duplicated => {
            let message = "wait apply has been aborted: Duplicated".to_owned();
            at_once(answer, Some(errorpb::Error { message, ..errorpb::Error::default() }));
        }
        Answer::EpochNotMatch => at_once(answer, Some(epoch_not_match(current))),
        Answer::Applied => at_once(answer, None),
        Answer::Later(target) => peer.wait = Some(Box::new(Wait { target, echo: asked, answer })),
    }
    receiver
}

fn not_found(region_id: u64) -> errorpb::Error {
    errorpb::Error {
        message: format!("region {region_id} not found"),
        region_not_found: Some(errorpb::RegionNotFound { region_id }),
        ..errorpb::Error::default()
    }
}

fn epoch_not_match(current: metapb::Region) -> errorpb::Error {
    errorpb::Error {
        message: "wait apply has been aborted: epoch not match".to_owned(),
        epoch_not_match: Some(errorpb::EpochNotMatch { current_regions: vec![current] }),
        ..errorpb::Error::default()
    }
}
