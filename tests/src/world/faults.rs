//! What a test may break. Switches stay until they are switched back; what happens once is a method of
//! [`super::World`].

use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Faults of one plane's EC2.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ec2Faults {
    /// The role allows CreateSnapshots, but not CreateSnapshot.
    pub only_sets: bool,
    /// A policy allows our own tags only.
    pub only_our_tags: bool,
    /// So many CreateSnapshots succeed without an answer (`facts/aws.md` A4).
    pub lose_replies: u32,
    /// So many CreateVolume succeed without an answer.
    pub lose_volume_replies: u32,
    /// So many calls of any kind are refused with RequestLimitExceeded.
    pub throttle: u32,
    /// So many snapshot sets end in `error` (one member fails, all do: `facts/aws.md` A1).
    pub error_sets: u32,
    /// Every call is UnauthorizedOperation.
    pub denied: bool,
    /// The role allows neither ListChangedBlocks nor ListSnapshotBlocks.
    pub blocks_denied: bool,
    /// The role allows neither DescribeSnapshotAttribute, nor DescribeAvailabilityZones, nor CreateVolume.
    pub no_looks: bool,
    /// Added to every list of blocks.
    pub slow_blocks: Duration,
    /// DescribeSnapshots tells no full size.
    pub no_full_size: bool,
    /// So many CreateSnapshots make a snapshot of the first volume only, and their answer is lost.
    pub partial_sets: u32,
    /// Describes show snapshots made from now on only after this much longer (`facts/aws.md` A2).
    pub hide_new: Duration,
    /// Added to every CreateSnapshots call.
    pub slow_create: Duration,
    /// So many CreateSnapshots are refused with InvalidState before anything happens.
    pub invalid_states: u32,
    /// So many are, of volumes that have been snapshotted: an identical request is unfinished (`facts/aws.md` A3).
    pub invalid_again: u32,
    /// No describe ever shows a snapshot; a deletion by id finds it.
    pub never_shown: bool,
    /// The role does not allow DeleteSnapshot.
    pub no_deletes: bool,
    /// Others use up what the account may delete: every DeleteSnapshot is refused with RequestLimitExceeded.
    pub throttled_deletes: bool,
    /// A rule of the Recycle Bin keeps what is deleted.
    pub recycles: bool,
}

/// All switches. The default is a healthy world.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Requests on prepare streams of these stores get no answer (the request itself arrives).
    pub drop_answers: BTreeSet<StoreId>,
    /// Requests on prepare streams of these stores never arrive.
    pub drop_renewals: BTreeSet<StoreId>,
    /// Applying takes longer there.
    pub slow_apply: BTreeMap<StoreId, Duration>,
    /// Resolvers of new regions never get ready: `safe_ts` stays 0, and PD's minimum skips it.
    pub zero_safe_ts: bool,
    /// Resolved ts stands still on leaders of these stores.
    pub stuck_safe_ts: BTreeSet<StoreId>,
    /// GC has already passed any value that is asked for: nothing is stored, and the reply looks like success
    /// (`facts/pd-tikv.md` §1.10).
    pub refuse_safe_point: bool,
    /// TiKV without the prepare call (7.1): UNIMPLEMENTED.
    pub old_tikv: BTreeSet<StoreId>,
    /// TiKV 6.5.8: its prepare lease does not stop log compaction.
    pub compacting_tikv: BTreeSet<StoreId>,
    /// partitioned-raft-kv: UNAVAILABLE for ever.
    pub raft_v2: BTreeSet<StoreId>,
    /// `resolved-ts.enable = false`.
    pub resolved_ts_off: BTreeSet<StoreId>,
    /// PD says Disconnected.
    pub disconnected: BTreeSet<StoreId>,
    /// PD says Offline: the store is being removed.
    pub offline: BTreeSet<StoreId>,
    /// Old leaders that have not heard of their successors: these stores list these regions as led all the same.
    pub stale_leads: BTreeMap<StoreId, BTreeSet<RegionId>>,
    /// Between PrepareMerge and CommitMerge, so that a lease can come in between.
    pub slow_merge: Duration,
    /// Cannot be dialled.
    pub unreachable: BTreeSet<StoreId>,
    /// PD lists a store that runs in no plane.
    pub stranger: bool,
    /// This plane's PD belongs to another cluster.
    pub other_cluster: BTreeSet<String>,
    /// No PD member answers this plane.
    pub pd_down: BTreeSet<String>,
    /// So many PD calls of this plane are answered with a 5xx.
    pub pd_errors: BTreeMap<String, u32>,
    /// Every PD call of this plane takes this much longer.
    pub pd_slow: BTreeMap<String, Duration>,
    /// What PD tells as its own minimum of resolved ts, whatever it should be.
    pub min_resolved: Option<Ts>,
    /// PD carries an EBS restore marker.
    pub recovering: bool,
    /// `min-resolved-ts-persistence-interval` is 0.
    pub min_resolved_off: bool,
    /// EC2 says that the data volume of this store is attached to another instance.
    pub moved_volume: BTreeSet<StoreId>,
    /// EC2 does not know the data volume of this store.
    pub gone_volume: BTreeSet<StoreId>,
    /// The volumes of this store are not EBS.
    pub not_ebs: BTreeSet<StoreId>,
    /// TiKV keeps its raft log on the node's own disk, which no snapshot contains.
    pub raft_elsewhere: BTreeSet<StoreId>,
    /// The plane has no such TidbCluster.
    pub no_tidb_cluster: BTreeSet<String>,
    /// The plane has no such secret.
    pub no_secret: BTreeSet<String>,
    /// The bucket does not exist.
    pub no_bucket: bool,
    /// The identity may not write to S3.
    pub s3_denied: bool,
    /// The identity may write to S3 and list it, but not read an object that is there.
    pub s3_unreadable: bool,
    /// S3 does not answer.
    pub s3_down: bool,
    /// The plane's ledger cannot be saved.
    pub ledger_down: BTreeSet<String>,
    /// Wall clocks that are wrong, in milliseconds, by plane; the coordinator's is under "".
    pub wall_skew: BTreeMap<String, i64>,
    /// EC2 of a plane.
    pub ec2: BTreeMap<String, Ec2Faults>,
    /// So many calls of this name to a target happen, and their answers are lost: `mark`, `unmark`, `base-alloc-id`, `reset-ts`,
    /// `AllocID`, `put`, `open gate`, RecoverData's and TiKV's by their own names.
    pub lost_replies: BTreeMap<String, u32>,
    /// A target's store restarts instead of answering this call, by its own name: the how-manieth from now on.
    pub restart_at: BTreeMap<(StoreId, String), u32>,
    /// These stores of a target cannot be dialled.
    pub target_unreachable: BTreeSet<StoreId>,
    /// The API server of this plane does not answer a restore.
    pub kube_down: BTreeSet<String>,
    /// The plane's role may not write what a restore needs.
    pub no_rights: BTreeSet<String>,
}
