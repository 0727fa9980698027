//! What planes find when all is well: one store with one volume each, one region each, together the whole key space.

use shared::{
    barrier::{Claim, ClaimHolder},
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, CoverDigest, PdEvidence, PreparedStore, PreparedVolume, StoreState},
    ids::{Attempt, BackupUid, ClusterId, InstanceId, PlaneId, SnapshotId, StoreId, VolumeId},
    member::{ReadBack, coverage::nothing_led},
    request::{CleanPolicy, Credentials, Limits, MemberRequest, Request, S3Target, SizeLevel},
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
    wire::{Covered, Prepared},
};
use std::collections::BTreeMap;

pub(crate) const CLUSTER: ClusterId = ClusterId(7);
pub(crate) const GC_HOLD: Ts = Ts(1_000);
const CUTS: [&[u8]; 4] = [b"", b"g", b"p", b""];

/// One try of one backup, as short as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttemptKey {
    pub(crate) backup: usize,
    pub(crate) number: u32,
}

impl AttemptKey {
    pub(crate) fn attempt(self) -> Attempt {
        Attempt { backup: uid(self.backup), number: self.number }
    }

    pub(crate) fn of(attempt: &Attempt) -> Self {
        Self { backup: backup_of(&attempt.backup), number: attempt.number }
    }
}

pub(crate) fn uid(backup: usize) -> BackupUid {
    BackupUid(format!("b{backup}"))
}

pub(crate) fn backup_of(uid: &BackupUid) -> usize {
    uid.as_str().strip_prefix('b').and_then(|n| n.parse().ok()).expect("made by uid()")
}

/// The claim as the ledger has it; `None`: it was never granted.
pub(crate) fn stored_claim(epoch: Epoch, by: Option<AttemptKey>) -> Option<Claim> {
    let live = by.map(|by| ClaimHolder { backup: uid(by.backup), attempt: by.number });
    (epoch != Epoch::NONE).then_some(Claim { cluster: CLUSTER, epoch, live })
}

pub(crate) fn plane(p: usize) -> PlaneId {
    PlaneId(format!("p{p}"))
}

pub(crate) fn plane_number(plane: &PlaneId) -> usize {
    plane.as_str().strip_prefix('p').and_then(|n| n.parse().ok()).expect("made by plane()")
}

pub(crate) fn store(p: usize) -> StoreId {
    StoreId(p as u64)
}

pub(crate) fn request(backup: usize, planes: usize, retries: bool) -> Request {
    let member = |p| MemberRequest { plane: plane(p), tc_name: String::new(), tc_namespace: String::new() };
    Request {
        backup: uid(backup),
        name: String::new(),
        namespace: String::new(),
        members: (0..planes).map(member).collect(),
        storage: S3Target::example("", ""),
        credentials: Credentials::Default,
        clean_policy: CleanPolicy::Delete,
        size_level: SizeLevel::None,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        retry_within: retries.then_some(Millis::secs(3600)),
        role_external_id: String::new(),
        ignored: Vec::new(),
        allow_weaker_holds: false,
    }
}

fn instance(p: usize) -> InstanceId {
    InstanceId(format!("i{p}"))
}

fn volume(p: usize) -> VolumeId {
    VolumeId(format!("v{p}"))
}

fn cluster_stores(planes: usize) -> Vec<ClusterStore> {
    let listed = |p| ClusterStore {
        store: store(p),
        address: format!("t{p}"),
        state: StoreState::Up,
        start_timestamp: 1,
        uptime: Millis::secs(9_000),
        heartbeat_age: Millis(0),
        version: String::new(),
    };
    (0..planes).map(listed).collect()
}

pub(crate) fn prepared(p: usize, planes: usize, round: u32, highest_epoch: Epoch) -> Prepared {
    let volumes = vec![PreparedVolume {
        volume: volume(p),
        mount_path: String::new(),
        kind: String::new(),
        zone: String::new(),
        directories: [].into(),
    }];
    Prepared {
        round,
        cluster: CLUSTER,
        cluster_version: String::new(),
        stores: vec![PreparedStore {
            store: store(p),
            address: format!("t{p}"),
            start_timestamp: 1,
            instance: instance(p),
            volumes,
        }],
        cluster_stores: cluster_stores(planes),
        account: String::new(),
        region: String::new(),
        highest_epoch,
        budgets: None,
    }
}

/// The safe_ts that the leader in a plane says in a round. It moves on between rounds, so that a commitTs taken from
/// another round than the last is another number.
pub(crate) fn safe_ts(p: usize, round: u32) -> Ts {
    Ts(2_000 + 10 * u64::from(round) + p as u64)
}

/// `hole`: the plane's region has just moved to another leader, and nobody reports it.
pub(crate) fn covered(p: usize, planes: usize, round: u32, hole: bool) -> Covered {
    let end = if p + 1 == planes { CUTS[3] } else { CUTS[p + 1] };
    let tiling = Tiling::of_region(CUTS[p], end).expect("cuts go up");
    let digest = if hole {
        nothing_led()
    } else {
        CoverDigest { regions: 1, tiling, least_safe_ts: safe_ts(p, round), ..CoverDigest::default() }
    };
    Covered { round, digest, missing: Vec::new() }
}

/// One call per attempt and plane, one snapshot per call: its id says it all.
pub(crate) fn snapshot(p: usize, by: AttemptKey) -> AcceptedSnapshot {
    AcceptedSnapshot {
        volume: volume(p),
        snapshot: snapshot_id(p, by),
        instance: instance(p),
        start_time: Timestamp(0),
    }
}

pub(crate) fn snapshot_id(p: usize, by: AttemptKey) -> SnapshotId {
    SnapshotId(format!("s{}-{}-{p}", by.backup, by.number))
}

pub(crate) fn read_back(p: usize, planes: usize) -> ReadBack {
    let pd = PdEvidence {
        gc_hold: GC_HOLD,
        gc_safe_point: GC_HOLD,
        min_resolved_ts: GC_HOLD,
        ts_ceiling: Some(Ts(u64::MAX)),
        stores: cluster_stores(planes),
    };
    ReadBack {
        stores: cluster_stores(planes),
        attached: BTreeMap::from([(volume(p), Some(instance(p)))]),
        pd: (p == 0).then_some(pd),
        set: None,
    }
}
