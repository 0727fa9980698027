//! What doubles were made to change. "Touches nothing" is then a number, and so is what is left over at the end.

use serde::Serialize;

/// Mutations that callers from outside made, by kind. Reads are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// UpdateServiceGCSafePoint calls that set or removed an entry.
    pub pd_safe_points: u64,
    /// Schedulers paused or resumed.
    pub pd_schedulers: u64,
    /// TTL configs set or ended.
    pub pd_configs: u64,
    /// Prepare streams opened (each cuts off an older one).
    pub tikv_streams: u64,
    /// UpdateLease requests that arrived.
    pub tikv_leases: u64,
    /// Finish requests that arrived.
    pub tikv_finishes: u64,
    /// CheckPendingAdminOp, which wakes every peer of its store: reads, so not in the total.
    pub tikv_lists: u64,
    /// Regions asked for their `safe_ts`: reads, so not in the total.
    pub tikv_asks: u64,
    /// Regions named in wait-apply: reads, so not in the total.
    pub tikv_waits: u64,
    /// CreateSnapshots calls that created something.
    pub ec2_creates: u64,
    /// Of them CreateSnapshot, of one volume alone.
    pub ec2_creates_of_one: u64,
    /// Calls that EC2 refused by rate: they change nothing, so not in the total.
    pub ec2_throttles: u64,
    /// Pages of DescribeSnapshots by tag: reads, so not in the total.
    pub ec2_looks: u64,
    /// Pages of blocks listed: reads, so not in the total.
    pub ebs_lists: u64,
    /// DeleteSnapshot calls, those that were refused as well: they may change nothing, so not in the total.
    pub ec2_delete_calls: u64,
    /// DeleteSnapshot calls that deleted something.
    pub ec2_deletes: u64,
    /// CreateVolume calls that made one.
    pub ec2_volumes: u64,
    /// DeleteVolume calls that deleted something.
    pub ec2_volume_deletes: u64,
    /// Objects written.
    pub s3_puts: u64,
    /// Objects deleted.
    pub s3_deletes: u64,
    /// Saves of a plane's own ledger.
    pub ledger_saves: u64,
    /// Calls that change a target's PD: its mark, its allocator, its clock.
    pub pd_marks: u64,
    /// Calls that change a target's objects.
    pub kube_writes: u64,
}

impl Counters {
    /// All of them, the planes' own ledgers left out: those are ours, not the cluster's or the account's.
    pub fn total(&self) -> u64 {
        self.pd_safe_points
            + self.pd_schedulers
            + self.pd_configs
            + self.tikv_streams
            + self.tikv_leases
            + self.tikv_finishes
            + self.ec2_creates
            + self.ec2_deletes
            + self.ec2_volumes
            + self.ec2_volume_deletes
            + self.s3_puts
            + self.s3_deletes
            + self.pd_marks
            + self.kube_writes
    }
}

/// What still exists of what callers created (`design.md` §12, `left_over`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOver {
    /// Snapshots not deleted.
    pub snapshots: u64,
    /// Volumes made of them and not deleted.
    pub volumes: u64,
    /// Objects in the bucket.
    pub objects: u64,
    /// Schedulers paused and TTL configs in force.
    pub paused_schedulers: u64,
    /// Service safe points besides `gc_worker`.
    pub safe_points: u64,
    /// Stores with a live prepare lease, or with suspended imports.
    pub leases: u64,
    /// Each of them by name; at most 50, for people.
    pub names: Vec<String>,
}

impl LeftOver {
    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.snapshots + self.volumes + self.objects + self.paused_schedulers + self.safe_points + self.leases
    }
}
