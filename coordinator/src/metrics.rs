//! What Prometheus sees: the five names of the old manager (`facts/tidb-operator.md` §8.4) and ours. Label sets are
//! closed: names of TiDB clusters and namespaces come from objects, everything else from enums.
//!
//! The old names end as they always did. OpenMetrics wants `_total` behind a counter's name, and the encoder adds it, so
//! these five are told as gauges that only grow: queries of old dashboards (`rate`, `increase`) do not look at the type.

mod blocked;
mod ledger;
mod schedules;

use blocked::Blocked;
use ledger::Ledger;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use schedules::ScheduleMetrics;
use shared::{
    barrier::{BarrierTimes, Milestone, Record, Verdict, View},
    ids::BackupUid,
    reason::Reason,
    schedule::{self, ScheduleKey},
    time::Timestamp,
};
use shell::expiry::Expiries;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::AtomicU64},
};

/// Seconds, from a tenth to ten minutes: the barrier's limits are 120 s and 60 s.
const BUCKETS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 600.0];
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cluster {
    namespace: String,
    tc: String,
}

impl Cluster {
    fn with(&self, status: Status) -> ClusterStatus {
        ClusterStatus { namespace: self.namespace.clone(), tc: self.tc.clone(), status }
    }
}

/// As the old manager wrote it: the names of all TidbClusters of a backup, in order.
fn cluster_of(record: &Record) -> Cluster {
    let mut names: Vec<_> = record.request.members.iter().map(|m| m.tc_name.clone()).collect();
    names.sort_unstable();
    Cluster { namespace: record.request.namespace.clone(), tc: names.join(",") }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterStatus {
    namespace: String,
    tc: String,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Status {
    Running,
    SnapshotsCreated,
    Complete,
    Failed,
    Cleaned,
    CleanFailed,
}

/// Those that the old manager preset.
const STATUSES: [Status; 5] =
    [Status::Running, Status::SnapshotsCreated, Status::Complete, Status::Failed, Status::Cleaned];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabel {
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Part {
    Settle,
    Reach,
    Hold,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

/// Every instrument of a coordinator.
pub struct Metrics {
    registry: Arc<Registry>,
    status: Family<ClusterStatus, Gauge>,
    total_time: Family<Cluster, Gauge<f64, AtomicU64>>,
    total_size: Family<Cluster, Gauge<f64, AtomicU64>>,
    cleanup_status: Family<ClusterStatus, Gauge>,
    cleanup_time: Family<Cluster, Gauge<f64, AtomicU64>>,
    limits: Family<PartLabel, Gauge<f64, AtomicU64>>,
    barrier: Family<PartLabel, Histogram>,
    failures: Family<Why, Counter>,
    orphans: Gauge,
    planes: Gauge,
    kinds: Gauge,
    unreadable: Gauge,
    ledger: Ledger,
    alarms: Counter,
    weaker: Counter,
    blocked: Blocked,
    expiries: Expiries,
    schedules: ScheduleMetrics,
    /// What has been counted of each backup, so that a repeated view counts once.
    seen: Mutex<BTreeMap<BackupUid, Seen>>,
}

/// What has been counted of one backup.
#[derive(Clone)]
struct Seen {
    milestone: Milestone,
    attempt: u32,
    alarms: usize,
    /// A deletion left something over.
    clean_failed: bool,
    blocked: BTreeSet<Reason>,
}

impl Seen {
    fn of(view: &View) -> Self {
        let record = &view.record;
        Self {
            milestone: record.milestone,
            attempt: record.attempt,
            alarms: view.alarms.len(),
            clean_failed: record.deleting && record.clean_failure.is_some(),
            blocked: view.blocked_by(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let barrier = Family::<PartLabel, Histogram>::new_with_constructor(histogram);
        let status = Family::<ClusterStatus, Gauge>::default();
        let total_time = Family::<Cluster, Gauge<f64, AtomicU64>>::default();
        let total_size = Family::<Cluster, Gauge<f64, AtomicU64>>::default();
        let cleanup_status = Family::<ClusterStatus, Gauge>::default();
        let cleanup_time = Family::<Cluster, Gauge<f64, AtomicU64>>::default();
        let limits = Family::<PartLabel, Gauge<f64, AtomicU64>>::default();
        let failures = Family::<Why, Counter>::default();
        let (planes, kinds, unreadable) = (Gauge::default(), Gauge::<i64>::default(), Gauge::default());
        let (alarms, weaker) = (Counter::default(), Counter::default());
        registry.register(
            "fed_volume_backup_status",
            "Backups by how they ended: only Complete and Failed are counted",
            status.clone(),
        );
        registry.register(
            "fed_volume_backup_total_time_sec",
            "Seconds from start to end of backups",
            total_time.clone(),
        );
        registry.register("fed_volume_backup_total_size_gb", "GiB of completed backups", total_size.clone());
        registry.register("fed_volume_backup_cleanup_status", "Clean-ups by outcome", cleanup_status.clone());
        registry.register(
            "fed_volume_backup_cleanup_total_time_sec",
            "Seconds from deletion to the end of the clean-up",
            cleanup_time.clone(),
        );
        registry.register_with_unit(
            "isochron_barrier_duration",
            "Length of each part of the barrier: settle (PD only), reach, hold",
            Unit::Seconds,
            barrier.clone(),
        );
        registry.register_with_unit(
            "isochron_barrier_limit",
            "Limit of each part of the barrier in the latest attempt",
            Unit::Seconds,
            limits.clone(),
        );
        registry.register("isochron_failures", "Attempts that ended badly, by reason", failures.clone());
        registry.register("isochron_planes_connected", "Planes with a live session", planes.clone());
        registry.register(
            "isochron_custom_resources_fit",
            "1 while the API server keeps every field of ours; 0 on the old manager's definitions",
            kinds.clone(),
        );
        registry.register(
            "isochron_configuration_unreadable",
            "1 while the configuration file cannot be read: the list of planes is an older one",
            unreadable.clone(),
        );
        let orphans = Gauge::default();
        registry.register(
            "isochron_records_orphaned",
            "Records whose VolumeBackup is gone although nobody deleted it; everything of them is kept",
            orphans.clone(),
        );
        let ledger = Ledger::default();
        ledger.register(&mut registry);
        registry.register("isochron_alarms", "Impossible states seen; must stay 0", alarms.clone());
        registry.register(
            "isochron_weaker_certificates",
            "Certificates that prove less than consistency, because TiKV was too old to be held in full",
            weaker.clone(),
        );
        let blocked = Blocked::default();
        let expiries = Expiries::register(&mut registry);
        blocked.register(&mut registry);
        let schedules = ScheduleMetrics::default();
        schedules.register(&mut registry);
        for reason in Reason::ALL {
            // Without a 0 before it the first failure of a reason would be no increase.
            drop(failures.get_or_create(&Why { reason: reason.as_str() }));
        }
        Self {
            registry: Arc::new(registry),
            orphans,
            status,
            total_time,
            total_size,
            cleanup_status,
            cleanup_time,
            limits,
            barrier,
            failures,
            planes,
            kinds,
            unreadable,
            ledger,
            alarms,
            weaker,
            blocked,
            expiries,
            schedules,
            seen: Mutex::new(BTreeMap::new()),
        }
    }

    /// For `/metrics`.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// Records have no object, or have one again.
    pub fn orphans(&self, count: usize) {
        self.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A plane came or went.
    pub fn planes_connected(&self, count: usize) {
        self.planes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The custom resources were looked at.
    pub fn kinds_fit(&self, fit: bool) {
        self.kinds.set(i64::from(fit));
    }

    /// The configuration file was read again, or could not be.
    pub fn configuration_readable(&self, readable: bool) {
        self.unreadable.set(i64::from(!readable));
    }

    /// Objects in the ledger, and bytes of their texts.
    pub fn ledger(&self, records: (u64, u64), claims: (u64, u64)) {
        self.ledger.holds(records, claims);
    }

    /// Where ends of certificates are told.
    pub fn expiries(&self) -> Expiries {
        self.expiries.clone()
    }

    /// Schedules showed themselves.
    pub fn schedules(&self, views: &[schedule::View]) {
        views.iter().for_each(|view| self.schedules.shown(view));
    }

    /// How far the wall clock is ahead, in milliseconds, and whether retention deletes nothing for it.
    pub fn clock(&self, skew: i64, stopped: bool) {
        self.schedules.clock(skew, stopped);
    }

    /// A schedule is no more.
    pub fn schedule_gone(&self, key: &ScheduleKey) {
        self.schedules.gone(key);
    }

    /// A barrier showed itself; each milestone of each attempt counts once in the life of this process.
    pub fn viewed(&self, view: &View) {
        let record = &view.record;
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Seen::of(view);
        let before = seen.insert(record.key().clone(), now.clone());
        let new_alarms = now.alarms.saturating_sub(before.as_ref().map_or(0, |before| before.alarms));
        self.alarms.inc_by(new_alarms as u64);
        self.blocked.turned(record, before.as_ref().map(|before| &before.blocked), &now.blocked);
        // The first sight of a backup that had ended before this process started is no event.
        let fresh = before.as_ref().map_or(record.milestone < Milestone::Complete, |before| {
            (before.milestone, before.attempt) != (record.milestone, record.attempt)
        });
        if fresh {
            self.count(view);
        }
        if now.clean_failed && before.is_some_and(|before| !before.clean_failed) {
            let status = cluster_of(record).with(Status::CleanFailed);
            self.cleanup_status.get_or_create(&status).inc();
        }
        if record.milestone == Milestone::Cleaned {
            seen.remove(record.key());
        }
    }

    /// Nothing more is to come of a backup. If something does after all, it has been seen to end.
    pub fn ended(&self, backup: &BackupUid) {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(backup);
    }

    fn count(&self, view: &View) {
        let record = &view.record;
        let cluster = cluster_of(record);
        let with = |status| cluster.with(status);
        match record.milestone {
            Milestone::Preparing => {
                for status in STATUSES {
                    // As the old manager has it: each is there, and only the two ends are ever counted.
                    drop(self.status.get_or_create(&with(status)));
                }
                self.set_limits(view);
            }
            Milestone::Certified => {
                if record.certificate.as_ref().is_some_and(|certificate| certificate.verdict == Verdict::Weaker) {
                    self.weaker.inc();
                }
            }
            Milestone::Complete => {
                self.status.get_or_create(&with(Status::Complete)).inc();
                self.measure(view, &cluster);
            }
            Milestone::Failed => {
                self.status.get_or_create(&with(Status::Failed)).inc();
                let reason = record.failure.as_ref().map_or(Reason::Internal, |refusal| refusal.reason);
                self.failures.get_or_create(&Why { reason: reason.as_str() }).inc();
                self.observe(&record.barrier);
            }
            Milestone::Cleaned => {
                self.cleanup_status.get_or_create(&with(Status::Cleaned)).inc();
                if let (Some(from), Some(to)) = (record.times.deleted, record.times.cleaned) {
                    self.cleanup_time.get_or_create(&cluster).inc_by(seconds(from, to));
                }
            }
            Milestone::Barrier | Milestone::Snapshotting | Milestone::Aborting | Milestone::Cleaning => {}
        }
    }

    fn set_limits(&self, view: &View) {
        let limits = &view.record.request.limits;
        for (part, limit) in [(Part::Settle, limits.settle), (Part::Reach, limits.reach), (Part::Hold, limits.hold)] {
            self.limits.get_or_create(&PartLabel { part }).set(limit.0 as f64 / 1000.0);
        }
    }

    fn measure(&self, view: &View, cluster: &Cluster) {
        let record = &view.record;
        if let (Some(from), Some(to)) = (record.times.started, record.times.completed) {
            self.total_time.get_or_create(cluster).inc_by(seconds(from, to));
        }
        let bytes: u64 = record.planes.values().filter_map(|plane| plane.completed_bytes).sum();
        self.total_size.get_or_create(cluster).inc_by(bytes as f64 / GIB);
        self.observe(&record.barrier);
    }

    /// Also of attempts that failed: the hold that ran out is the one to look for.
    fn observe(&self, times: &BarrierTimes) {
        for (part, length) in [(Part::Settle, times.settle), (Part::Reach, times.reach), (Part::Hold, times.hold)] {
            if let Some(length) = length {
                self.barrier.get_or_create(&PartLabel { part }).observe(length.0 as f64 / 1000.0);
            }
        }
    }
}

/// By the wall clock; 0 where it went back.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0).max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests;
