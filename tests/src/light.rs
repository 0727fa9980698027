//! A plane without a world: what it would answer to each order, as if all went well. One store on one instance, and a region
//! that tiles the key space with those of the others.

pub mod planes;

use anyhow::Context;
use shared::{
    epoch::Epoch,
    evidence::{
        AcceptedSnapshot, ClusterStore, CoverDigest, Evidence, HoldKind, PdEvidence, PreparedStore, PreparedVolume,
        StoreEvidence, StoreState,
    },
    ids::{ClusterId, InstanceId, SnapshotId, StoreId, VolumeId},
    region_set::RegionSet,
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
    wire::{
        Aborted, Answer, CallAccepted, CleanReport, Cleaned, Completed, Confirmed, Covered, Measured, Order, Prepared,
        Recovered, Released, Renewed, Reserved, Settle, Settled, Snapshotted, Suspended,
    },
};

const GC_HOLD: Ts = Ts(1_000);
const SAFE_TS: Ts = Ts(2_000);
const TS_CEILING: Ts = Ts(9_000);

/// `k8sClusterName` of a plane, by its number.
#[must_use]
pub fn plane_name(number: u32) -> String {
    format!("plane-{number:04}")
}

/// A plane's place in its TiDB cluster.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Of all planes.
    pub number: u32,
    /// In its TiDB cluster; the first is its init plane.
    index: u32,
    /// Planes of that cluster.
    of: u32,
}

impl Place {
    /// Planes in their order, `members` to a TiDB cluster; the last has what is left.
    #[must_use]
    pub fn of(number: u32, planes: u32, members: u32) -> Self {
        let cluster = number / members;
        Self { number, index: number % members, of: members.min(planes - cluster * members) }
    }

    /// The first plane of its cluster.
    fn first(self) -> u32 {
        self.number - self.index
    }

    fn cluster(self) -> ClusterId {
        ClusterId(u64::from(self.first()) + 1)
    }

    fn instance(self) -> InstanceId {
        InstanceId::new(format!("i-{:017x}", self.number))
    }

    fn volume(self) -> VolumeId {
        VolumeId::new(format!("vol-{:017x}", self.number))
    }

    fn address(self) -> String {
        address(self.number)
    }

    /// To an order that came under `epoch`.
    ///
    /// # Errors
    /// Its region has no keys.
    pub fn answer(self, epoch: Epoch, order: Order) -> anyhow::Result<Answer> {
        Ok(match order {
            Order::Prepare(prepare) => Answer::Prepared(self.prepared(prepare.round)),
            Order::Reserve => Answer::Reserved(Reserved {}),
            Order::Settle(Settle::HoldPd) => {
                Answer::Settled(Settled::PdHeld { gc_hold: GC_HOLD, schedulers: Vec::new() })
            }
            Order::Settle(Settle::Leaders { .. }) => {
                Answer::Settled(Settled::Leaders { regions: 1, least_safe_ts: SAFE_TS })
            }
            Order::Suspend => Answer::Suspended(Suspended { stores: 1 }),
            Order::Cover(cover) => {
                Answer::Covered(Covered { round: cover.round, digest: self.digest()?, missing: Vec::new() })
            }
            Order::Snapshot(_) => Answer::Snapshotted(Snapshotted {
                snapshots: self.snapshots(),
                accepted: vec![CallAccepted { instance: self.instance(), after: Millis(10) }],
            }),
            Order::Confirm => Answer::Confirmed(Confirmed { evidence: self.evidence(epoch)? }),
            Order::Release => Answer::Released(Released {}),
            Order::Abort(_) => Answer::Aborted(Aborted { cause: None }),
            Order::Renew(renew) => Answer::Renewed(Renewed { number: renew.number }),
            Order::Recover => Answer::Recovered(Recovered::Aborted),
            Order::Complete(_) => Answer::Completed(Completed::default()),
            Order::Measure(measure) => Answer::Measured(Measured { from: measure.from, ..Measured::default() }),
            Order::Clean(_) => Answer::Cleaned(Cleaned { report: CleanReport::default() }),
        })
    }

    fn prepared(self, round: u32) -> Prepared {
        let directories = [("storage.data-dir", ""), ("raft-engine.dir", "/raft-engine")]
            .map(|(key, below)| (key.to_owned(), format!("/var/lib/tikv{below}")));
        let volume = PreparedVolume {
            volume: self.volume(),
            mount_path: "/var/lib/tikv".to_owned(),
            kind: "storage.data-dir".to_owned(),
            zone: "eu-west-1a".to_owned(),
            directories: directories.into(),
        };
        let store = PreparedStore {
            store: StoreId(u64::from(self.number) + 1),
            address: self.address(),
            start_timestamp: 100,
            instance: self.instance(),
            volumes: vec![volume],
        };
        Prepared {
            round,
            cluster: self.cluster(),
            cluster_version: "8.5.0".to_owned(),
            stores: vec![store],
            cluster_stores: self.cluster_stores(),
            // An account of its own: how long EC2's buckets make a hold is `loadtests barrier`.
            account: plane_name(self.number),
            region: "eu-west-1".to_owned(),
            highest_epoch: Epoch(4),
            budgets: None,
        }
    }

    fn cluster_stores(self) -> Vec<ClusterStore> {
        let store = |number: u32| ClusterStore {
            store: StoreId(u64::from(number) + 1),
            address: address(number),
            state: StoreState::Up,
            start_timestamp: 100,
            uptime: Millis::secs(9_000),
            heartbeat_age: Millis::secs(1),
            version: "8.5.0".to_owned(),
        };
        (self.first()..self.first() + self.of).map(store).collect()
    }

    /// One region, from where the one before ends.
    fn digest(self) -> anyhow::Result<CoverDigest> {
        let border = |index: u32| {
            if index == 0 || index == self.of { Vec::new() } else { index.to_be_bytes().to_vec() }
        };
        let (start, end) = (border(self.index), border(self.index + 1));
        let id = u64::from(self.number) + 1;
        Ok(CoverDigest {
            regions: 1,
            tiling: Tiling::of_region(&start, &end).context("a region has keys")?,
            least_safe_ts: SAFE_TS,
            set: RegionSet::of_region(id, 1, 1, &start, &end),
        })
    }

    fn snapshots(self) -> Vec<AcceptedSnapshot> {
        vec![AcceptedSnapshot {
            volume: self.volume(),
            snapshot: SnapshotId::new(format!("snap-{:017x}", self.number)),
            instance: self.instance(),
            start_time: Timestamp(5),
        }]
    }

    fn evidence(self, epoch: Epoch) -> anyhow::Result<Evidence> {
        Ok(Evidence {
            epoch,
            cluster: self.cluster(),
            stores: vec![StoreEvidence {
                store: StoreId(u64::from(self.number) + 1),
                address: self.address(),
                start_timestamp: 100,
                renewals_sent: 3,
                renewals_valid: 3,
                confirmed: true,
                kind: HoldKind::Full,
            }],
            cover: self.digest()?,
            snapshots: self.snapshots(),
            commit_ts: SAFE_TS,
            pd: (self.index == 0).then(|| PdEvidence {
                gc_hold: GC_HOLD,
                gc_safe_point: GC_HOLD,
                min_resolved_ts: SAFE_TS,
                ts_ceiling: Some(TS_CEILING),
                stores: self.cluster_stores(),
            }),
            set_after: None,
        })
    }
}

fn address(number: u32) -> String {
    format!("tikv-{number}.tikv-peer.tidb.svc:20160")
}
