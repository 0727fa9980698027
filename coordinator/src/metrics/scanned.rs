//! What planes found in AWS that nothing names.

use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use shared::time::Timestamp;

/// As of the last look.
#[derive(Default)]
pub(super) struct ScannedMetrics {
    snapshots: Gauge,
    folders: Gauge,
    whole: Gauge,
}

impl ScannedMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_snapshots_orphaned",
            "EBS snapshots of ours that no record and no object names, as of the last scan",
            self.snapshots.clone(),
        );
        registry.register(
            "isochron_folders_orphaned",
            "Folders in S3 with a lock of ours that no record, object or snapshot names, as of the last scan",
            self.folders.clone(),
        );
        registry.register(
            "isochron_scan_timestamp_seconds",
            "When every plane was last looked through as a whole; 0: not since this process leads",
            self.whole.clone(),
        );
    }

    /// `whole`: everything was looked at, at this moment.
    pub(super) fn came(&self, (snapshots, folders): (u64, u64), whole: Option<Timestamp>) {
        self.snapshots.set(i64::try_from(snapshots).unwrap_or(i64::MAX));
        self.folders.set(i64::try_from(folders).unwrap_or(i64::MAX));
        if let Some(at) = whole {
            self.whole.set(at.0 / 1000);
        }
    }
}
