//! What planes saw, as facts of cause and effect: what was asked after what, and what was answered before what. A
//! certificate rests on these and on nothing else (`design.md` §4, E1–E6).

use crate::{
    epoch::Epoch,
    ids::{ClusterId, InstanceId, SnapshotId, StoreId, VolumeId},
    reason::{Reason, Refusal},
    region_set::RegionSet,
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A store as PD lists it. Tombstones and TiFlash are never listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterStore {
    /// PD's number.
    pub store: StoreId,
    /// `metapb.Store.address`.
    pub address: String,
    /// PD's word for it.
    pub state: StoreState,
    /// `metapb.Store.start_timestamp` (Unix seconds): another value means another process.
    pub start_timestamp: i64,
    /// By PD's clock at the reading.
    pub uptime: Millis,
    /// Since the last heartbeat, by PD's clock at the reading.
    pub heartbeat_age: Millis,
    /// `metapb.Store.version`.
    pub version: String,
}

/// TiKV sends a store heartbeat every 10 s and PD calls a store Disconnected after 20 s (`facts/pd-tikv.md` §3.2).
const HEARTBEAT_AGE_MAX: Millis = Millis::secs(20);

impl ClusterStore {
    /// Why it cannot be in a backup as it is; all of it passes by itself or by somebody's doing. `None`: it can. A store that
    /// is being removed is as good as any: until it is a Tombstone it holds data, leads and is heard of.
    pub fn unwell(&self, uptime: Millis) -> Option<Refusal> {
        let name = format!("store {} at {}", self.store, self.address);
        let of = |reason, what: String| Some(Refusal::new(reason, format!("{name} {what}")));
        if self.state == StoreState::Disconnected {
            return of(Reason::StoreNotUp, format!("is {:?}", self.state));
        }
        if self.heartbeat_age > HEARTBEAT_AGE_MAX {
            return of(Reason::StoreNotUp, format!("sent its last heartbeat {} s ago", self.heartbeat_age.0 / 1000));
        }
        if self.uptime < uptime {
            let (since, least) = (self.uptime.0 / 1000, uptime.0 / 1000);
            return of(Reason::StoreJustStarted, format!("started {since} s ago; at least {least} s are needed"));
        }
        None
    }
}

/// PD's state of a store, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StoreState {
    /// Serving (or preparing to).
    Up,
    /// Being removed; its regions are still on it.
    Offline,
    /// No heartbeat for a while (Disconnected or Down).
    Disconnected,
}

/// A store of this plane, from its process down to its volumes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PreparedStore {
    /// PD's number.
    pub store: StoreId,
    /// `metapb.Store.address`.
    pub address: String,
    /// Names the process.
    pub start_timestamp: i64,
    /// Where its volumes are attached.
    pub instance: InstanceId,
    /// Its volumes; never empty.
    pub volumes: Vec<PreparedVolume>,
}

/// One EBS volume of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PreparedVolume {
    /// `vol-…`.
    pub volume: VolumeId,
    /// Where TiKV mounts it.
    pub mount_path: String,
    /// `storage.data-dir`, or the configuration key it serves, or empty.
    pub kind: String,
    /// Availability zone.
    pub zone: String,
    /// TiKV's directories that lie on it: dotted key → path, as the running process names them (E4). Empty on every volume
    /// of a store: a plane of a version that did not look.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub directories: BTreeMap<String, String>,
}

/// A snapshot that EC2 accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AcceptedSnapshot {
    /// Of which volume.
    pub volume: VolumeId,
    /// `snap-…`.
    pub snapshot: SnapshotId,
    /// The instance whose CreateSnapshots call it came from.
    pub instance: InstanceId,
    /// EC2's StartTime: equal for all snapshots of one call; proves nothing against our clocks.
    pub start_time: Timestamp,
}

/// How a store is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HoldKind {
    /// TiKV's prepare lease: region changes, ingest, leader transfer and log compaction are rejected.
    #[default]
    Full,
    /// The prepare lease of TiKV 6.5.8: as a full one, but log compaction goes on (`facts/pd-tikv.md` §7).
    Compacting,
    /// TiKV does not know the prepare call: only imports are suspended. Nothing else is prevented on this store, and
    /// log compaction is not even seen (`facts/pd-tikv.md` §7).
    Weaker,
}

impl HoldKind {
    /// The default, which messages leave out.
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// A store's hold, from the first answered lease to the confirmation, on one stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreEvidence {
    /// PD's number.
    pub store: StoreId,
    /// As in `Prepared`, read again at the confirmation.
    pub address: String,
    /// As in `Prepared`, read again at the confirmation.
    pub start_timestamp: i64,
    /// Renewals sent on the one stream.
    pub renewals_sent: u64,
    /// Renewals answered `last_lease_is_valid = true`. Equal to `renewals_sent`, the confirmation's included, or the
    /// hold is broken.
    pub renewals_valid: u64,
    /// The confirmation's renewal, asked for after `Confirm` arrived, was answered true.
    pub confirmed: bool,
    /// How it was held.
    #[serde(default, skip_serializing_if = "HoldKind::is_full")]
    pub kind: HoldKind,
}

/// What leaders of this plane reported under holds on all stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CoverDigest {
    /// Regions led here.
    pub regions: u64,
    /// Their contribution.
    pub tiling: Tiling,
    /// The least safe_ts that they reported; [`Ts::NOT_INITIALIZED`] when the plane leads nothing.
    pub least_safe_ts: Ts,
    /// The same regions with their epochs, to be compared with a later reading.
    #[serde(default, skip_serializing_if = "RegionSet::is_empty")]
    pub set: RegionSet,
}

/// PD's side, from the init plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PdEvidence {
    /// What our service safe point held GC at.
    pub gc_hold: Ts,
    /// PD's GC safe point, read at the confirmation.
    pub gc_safe_point: Ts,
    /// PD's own minimum at the confirmation; shown and compared, never relied on.
    pub min_resolved_ts: Ts,
    /// A timestamp that PD gave out after the last snapshot was accepted anywhere. Every commit in them took an earlier one
    /// (or, where TiKV chooses, one above an earlier one), so no version in the snapshots is above it. `None`: a plane of a
    /// version that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts_ceiling: Option<Ts>,
    /// Every store that can hold data, read at the confirmation.
    pub stores: Vec<ClusterStore>,
}

/// Everything one plane proved for one attempt. Saved by the plane before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// Under which epoch.
    pub epoch: Epoch,
    /// PD's cluster id as this plane saw it.
    pub cluster: ClusterId,
    /// One per store of this member.
    pub stores: Vec<StoreEvidence>,
    /// The last `Covered`.
    pub cover: CoverDigest,
    /// One per volume prepared.
    pub snapshots: Vec<AcceptedSnapshot>,
    /// Which commitTs the snapshots were taken for.
    pub commit_ts: Ts,
    /// Init plane only.
    pub pd: Option<PdEvidence>,
    /// Regions led here after the last snapshot was accepted anywhere, none with an admin command pending. Read only
    /// where weaker holds are allowed: the certificate compares the sum with that of the covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_after: Option<RegionSet>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Millis = Millis::secs(60);

    fn store() -> ClusterStore {
        ClusterStore { uptime: LEAST, heartbeat_age: HEARTBEAT_AGE_MAX, ..ClusterStore::example(3) }
    }

    #[test]
    fn a_store_at_its_bounds_is_well_also_while_it_is_being_removed() {
        for state in [StoreState::Up, StoreState::Offline] {
            assert_eq!(ClusterStore { state, ..store() }.unwell(LEAST), None, "{state:?}");
        }
    }

    #[test]
    fn one_kind_of_hold_alone_is_full() {
        assert!(HoldKind::Full.is_full() && HoldKind::default() == HoldKind::Full);
        assert!(!HoldKind::Compacting.is_full() && !HoldKind::Weaker.is_full());
    }

    #[test]
    fn a_store_that_is_not_well_is_named_with_what_it_lacks() {
        let table = [
            (
                ClusterStore { state: StoreState::Disconnected, ..store() },
                Reason::StoreNotUp,
                "store 3 at tikv-3:20160 is Disconnected",
            ),
            (
                ClusterStore { heartbeat_age: Millis(20_001), ..store() },
                Reason::StoreNotUp,
                "store 3 at tikv-3:20160 sent its last heartbeat 20 s ago",
            ),
            (
                ClusterStore { uptime: Millis(59_999), ..store() },
                Reason::StoreJustStarted,
                "store 3 at tikv-3:20160 started 59 s ago; at least 60 s are needed",
            ),
        ];
        for (store, reason, text) in table {
            assert_eq!(store.unwell(LEAST), Some(Refusal::new(reason, text)));
        }
    }
}
