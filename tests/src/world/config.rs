//! What a world is made of. Every number has a default that resembles the real system (the facts are cited); tests and
//! the demo change what they want to show.

use plane_actor::config::{Bucket, Budgets, UserTags, VolumeQuotas};
use shared::{ids::ClusterId, time::Timestamp};
use std::{path::PathBuf, time::Duration};

/// A span of milliseconds from which a delay is drawn, both ends included. `Span(0, 0)` never sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u64, pub u64);

/// One Kubernetes cluster and its part of the TiDB cluster.
#[derive(Clone, Debug)]
pub struct PlaneConfig {
    /// `k8sClusterName`.
    pub name: String,
    /// TidbCluster name there.
    pub tc_name: String,
    /// TidbCluster namespace there.
    pub tc_namespace: String,
    /// Availability zone of its volumes.
    pub zone: String,
    /// AWS account. Planes of one account and region share every token bucket (`facts/aws.md` A7).
    pub account: String,
    /// AWS region.
    pub region: String,
    /// EC2's clock minus ours, in milliseconds.
    pub ec2_skew_ms: i64,
}

/// How EC2 behaves.
#[derive(Clone, Debug)]
pub struct Ec2Config {
    /// CreateSnapshots, whole call. The volumes are captured somewhere inside it.
    pub create: Span,
    /// Every Describe.
    pub describe: Span,
    /// DeleteSnapshot.
    pub delete: Span,
    /// From capture to `completed`.
    pub pending: Span,
    /// From capture until describes show the snapshot (`facts/aws.md` A2, consistency).
    pub visible: Span,
    /// Burst and refill per second of CreateSnapshots, and of CreateSnapshot beside it (`facts/aws.md` A7: 100, 5).
    pub create_bucket: (u32, u32),
    /// Burst and refill per second of DeleteSnapshot (100, 5).
    pub delete_bucket: (u32, u32),
    /// Burst and refill per second of each Describe, the smaller reading (50, 10).
    pub describe_bucket: (u32, u32),
    /// Least pause between two snapshots of one volume (15 s, `facts/aws.md` A3).
    pub per_volume: Duration,
    /// Snapshots in `pending` or `error` per volume (5, `facts/aws.md` A3).
    pub concurrent: usize,
}

impl Default for Ec2Config {
    fn default() -> Self {
        Self {
            create: Span(120, 400),
            describe: Span(40, 90),
            delete: Span(60, 150),
            pending: Span(2_000, 6_000),
            visible: Span(0, 1_500),
            create_bucket: (100, 5),
            delete_bucket: (100, 5),
            describe_bucket: (50, 10),
            per_volume: Duration::from_secs(15),
            concurrent: 5,
        }
    }
}

impl Ec2Config {
    /// What a plane's configuration says of it.
    pub fn budgets(&self) -> Budgets {
        let create = Bucket::new(self.create_bucket.0, self.create_bucket.1);
        Budgets { create_snapshots: create, create_snapshot: create, ..Budgets::default() }
    }

    /// No latency, immediate visibility: for tests that look at something else.
    pub fn instant() -> Self {
        Self {
            create: Span(0, 0),
            describe: Span(0, 0),
            delete: Span(0, 0),
            pending: Span(500, 1_000),
            visible: Span(0, 0),
            ..Self::default()
        }
    }
}

/// Everything that is settled when a world begins.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Fixes workload, scheduling and latencies.
    pub seed: u64,
    /// In the order of `spec.clusters`.
    pub planes: Vec<PlaneConfig>,
    /// TiKV stores of each plane, one per instance.
    pub stores_per_plane: u32,
    /// So many of them keep the raft log on the data volume, and have one volume alone.
    pub one_volume_stores: u32,
    /// Every store has a volume of its own for large values.
    pub titan_volumes: bool,
    /// What the user wants on every snapshot.
    pub user_tags: UserTags,
    /// What the planes' configuration says of volumes.
    pub volumes: VolumeQuotas,
    /// Regions at the beginning; the scheduler splits and merges from there.
    pub regions: u32,
    /// Accounts of the bank, spread evenly over the regions.
    pub accounts: u32,
    /// What each account starts with; the sum over all never changes.
    pub opening_balance: i64,
    /// Peers per region, at most.
    pub replicas: u32,
    /// Share of regions that placement rules pin to stores of one plane; the others are spread over planes. A region
    /// with a peer in every plane survives almost any cut, which is why a control needs some of these.
    pub pinned_percent: u32,
    /// Transfers begun per second.
    pub transfers_per_second: u32,
    /// Clients in a thousand that die between prewrite and the last commit, so that locks linger.
    pub crash_permille: u32,
    /// Age at which a lock may be resolved by others (TiDB: 3 s).
    pub lock_ttl: Duration,
    /// Leader to follower.
    pub net: Span,
    /// From committed to applied.
    pub apply: Span,
    /// `resolved-ts.advance-ts-interval` (TiKV's default is 20 s; 1 s is usual with stale reads).
    pub resolved_ts_every: Duration,
    /// Until the resolver of a new region is initialised (`facts/pd-tikv.md` §6.2); `safe_ts` is 0 until then.
    pub resolver_init: Span,
    /// How often PD's schedulers do something; `None`: never.
    pub scheduler_every: Option<Duration>,
    /// How often somebody does an admin command that PD's pauses do not stop: manual operators, Lightning's ingest
    /// (`facts/pd-tikv.md` §3.5, what stays active). Only leases stop these. `None`: never.
    pub unruly_every: Option<Duration>,
    /// GC round.
    pub gc_every: Duration,
    /// `tidb_gc_life_time`.
    pub gc_life: Duration,
    /// How EC2 behaves.
    pub ec2: Ec2Config,
    /// Every S3 call.
    pub s3: Span,
    /// Every PD call.
    pub pd: Span,
    /// Every TiKV call.
    pub tikv: Span,
    /// Every call of a plane's API server, its ledger included.
    pub kube: Span,
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// PD's and TiKV's version, without a leading v.
    pub version: String,
    /// Wall clock at the beginning.
    pub wall: Timestamp,
    /// The one bucket that exists.
    pub bucket: String,
    /// Whatever is written to S3 is also written below this directory.
    pub mirror: Option<PathBuf>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            planes: Self::named_planes(3),
            stores_per_plane: 3,
            one_volume_stores: 0,
            titan_volumes: false,
            user_tags: UserTags::default(),
            volumes: VolumeQuotas::default(),
            regions: 24,
            accounts: 240,
            opening_balance: 1_000,
            replicas: 3,
            pinned_percent: 50,
            transfers_per_second: 100,
            crash_permille: 1,
            lock_ttl: Duration::from_secs(3),
            net: Span(1, 12),
            apply: Span(1, 40),
            resolved_ts_every: Duration::from_secs(1),
            resolver_init: Span(50, 1_500),
            scheduler_every: Some(Duration::from_secs(1)),
            unruly_every: Some(Duration::from_secs(3)),
            gc_every: Duration::from_secs(10),
            gc_life: Duration::from_secs(60),
            ec2: Ec2Config::default(),
            s3: Span(10, 40),
            pd: Span(1, 5),
            tikv: Span(1, 4),
            kube: Span(2, 10),
            cluster: ClusterId(7_391_001_002_003_004_005),
            version: "8.5.3".to_owned(),
            wall: Timestamp(1_767_225_600_000),
            bucket: "backups".to_owned(),
            mirror: None,
        }
    }
}

impl WorldConfig {
    /// The default world with another seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The lines of `spec.clusters` in a manifest: every plane.
    pub fn clusters(&self) -> String {
        let line = |plane: &PlaneConfig| {
            format!(
                "  - k8sClusterName: {}\n    tcName: {}\n    tcNamespace: {}\n",
                plane.name, plane.tc_name, plane.tc_namespace
            )
        };
        self.planes.iter().map(line).collect()
    }

    /// `az1`, `az2`, … in one account and region, each with its own zone.
    pub fn named_planes(count: u32) -> Vec<PlaneConfig> {
        (0..count)
            .map(|i| PlaneConfig {
                name: format!("az{}", i + 1),
                tc_name: format!("shop-az{}", i + 1),
                tc_namespace: "tidb".to_owned(),
                zone: format!("eu-west-1{}", char::from(b'a' + (i % 26) as u8)),
                account: "111122223333".to_owned(),
                region: "eu-west-1".to_owned(),
                ec2_skew_ms: i64::from(i) * 700 - 350,
            })
            .collect()
    }

    /// No latency anywhere: for tests that count steps.
    pub fn without_latency(mut self) -> Self {
        self.ec2 = Ec2Config::instant();
        (self.s3, self.pd, self.tikv, self.kube) = (Span(0, 0), Span(0, 0), Span(0, 0), Span(0, 0));
        self
    }
}
