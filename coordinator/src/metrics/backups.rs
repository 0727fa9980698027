//! The five names of the old manager (`facts/tidb-operator.md` §8.4).
//!
//! They end as they always did. OpenMetrics wants `_total` behind a counter's name, and the encoder adds it, so these are told
//! as gauges that only grow: queries of old dashboards (`rate`, `increase`) do not look at the type.

use super::cluster::Cluster;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{
    barrier::{Milestone, Record},
    time::Timestamp,
};
use std::sync::atomic::AtomicU64;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

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

impl Status {
    fn of(self, cluster: &Cluster) -> ClusterStatus {
        ClusterStatus { namespace: cluster.namespace.clone(), tc: cluster.tc.clone(), status: self }
    }
}

/// Those that the old manager preset.
const STATUSES: [Status; 5] =
    [Status::Running, Status::SnapshotsCreated, Status::Complete, Status::Failed, Status::Cleaned];

/// Backups and their clean-ups by TiDB cluster.
#[derive(Default)]
pub(super) struct Backups {
    status: Family<ClusterStatus, Gauge>,
    total_time: Family<Cluster, Gauge<f64, AtomicU64>>,
    total_size: Family<Cluster, Gauge<f64, AtomicU64>>,
    cleanup_status: Family<ClusterStatus, Gauge>,
    cleanup_time: Family<Cluster, Gauge<f64, AtomicU64>>,
}

impl Backups {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "fed_volume_backup_status",
            "Backups by how they ended: only Complete and Failed are counted",
            self.status.clone(),
        );
        registry.register(
            "fed_volume_backup_total_time_sec",
            "Seconds from start to end of backups",
            self.total_time.clone(),
        );
        registry.register("fed_volume_backup_total_size_gb", "GiB of completed backups", self.total_size.clone());
        registry.register("fed_volume_backup_cleanup_status", "Clean-ups by outcome", self.cleanup_status.clone());
        registry.register(
            "fed_volume_backup_cleanup_total_time_sec",
            "Seconds from deletion to the end of the clean-up",
            self.cleanup_time.clone(),
        );
    }

    /// A backup is at this milestone for the first time.
    pub(super) fn reached(&self, record: &Record) {
        let cluster = Cluster::of(record);
        match record.milestone {
            // As the old manager has it: each is there, and only the two ends are ever counted.
            Milestone::Preparing => {
                STATUSES.iter().for_each(|status| drop(self.status.get_or_create(&status.of(&cluster))));
                for status in [Status::Cleaned, Status::CleanFailed] {
                    // Without a 0 before it the first one would be no increase.
                    drop(self.cleanup_status.get_or_create(&status.of(&cluster)));
                }
            }
            Milestone::Complete => {
                self.status.get_or_create(&Status::Complete.of(&cluster)).inc();
                if let (Some(from), Some(to)) = (record.times.started, record.times.completed) {
                    self.total_time.get_or_create(&cluster).inc_by(seconds(from, to));
                }
                let bytes: u64 = record.planes.values().filter_map(|plane| plane.completed_bytes).sum();
                self.total_size.get_or_create(&cluster).inc_by(bytes as f64 / GIB);
            }
            Milestone::Failed => drop(self.status.get_or_create(&Status::Failed.of(&cluster)).inc()),
            Milestone::Cleaned => {
                self.cleanup_status.get_or_create(&Status::Cleaned.of(&cluster)).inc();
                if let (Some(from), Some(to)) = (record.times.deleted, record.times.cleaned) {
                    self.cleanup_time.get_or_create(&cluster).inc_by(seconds(from, to));
                }
            }
            Milestone::Barrier
            | Milestone::Snapshotting
            | Milestone::Certified
            | Milestone::Aborting
            | Milestone::Cleaning => {}
        }
    }

    /// A deletion left something over.
    pub(super) fn clean_failed(&self, record: &Record) {
        self.cleanup_status.get_or_create(&Status::CleanFailed.of(&Cluster::of(record))).inc();
    }
}

/// By the wall clock; 0 where it went back.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0).max(0) as f64 / 1000.0
}
