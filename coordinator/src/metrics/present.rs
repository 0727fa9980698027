//! The backups that there are, by what they are now, and since when the oldest of each is there.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{barrier::Milestone, time::Timestamp};
use std::collections::BTreeMap;

/// What a backup is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue)]
pub enum Present {
    /// Nothing is proven yet.
    Running,
    /// Proven; snapshots are on their way to S3.
    SnapshotsCreated,
    /// Good.
    Complete,
    /// Ended badly.
    Failed,
    /// It can never work as it is written.
    Invalid,
    /// Being deleted.
    Cleaning,
}

impl Present {
    const ALL: [Self; 6] =
        [Self::Running, Self::SnapshotsCreated, Self::Complete, Self::Failed, Self::Invalid, Self::Cleaning];

    /// Of a backup with a record.
    pub fn of(milestone: Milestone) -> Self {
        match milestone {
            Milestone::Preparing | Milestone::Barrier | Milestone::Snapshotting | Milestone::Aborting => Self::Running,
            Milestone::Certified => Self::SnapshotsCreated,
            Milestone::Complete => Self::Complete,
            Milestone::Failed => Self::Failed,
            Milestone::Cleaning | Milestone::Cleaned => Self::Cleaning,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    phase: Present,
}

/// As of the last count.
#[derive(Default)]
pub(super) struct PresentBackups {
    count: Family<Labels, Gauge>,
    oldest: Family<Labels, Gauge>,
}

impl PresentBackups {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("isochron_backups", "Backups that there are, by what they are now", self.count.clone());
        registry.register(
            "isochron_backups_oldest_timestamp_seconds",
            "When the oldest of them began, by what they are now (Unix time; absent: there is none)",
            self.oldest.clone(),
        );
        for phase in Present::ALL {
            drop(self.count.get_or_create(&Labels { phase }));
        }
    }

    /// Every backup: what it is, and when it began.
    pub(super) fn are(&self, all: impl Iterator<Item = (Present, Option<Timestamp>)>) {
        let mut found: BTreeMap<Present, (i64, Option<Timestamp>)> = BTreeMap::new();
        for (phase, began) in all {
            let (count, oldest) = found.entry(phase).or_default();
            *count += 1;
            *oldest = (*oldest).into_iter().chain(began).min();
        }
        for phase in Present::ALL {
            let labels = Labels { phase };
            let (count, oldest) = found.get(&phase).copied().unwrap_or_default();
            self.count.get_or_create(&labels).set(count);
            match oldest {
                Some(at) => drop(self.oldest.get_or_create(&labels).set(at.0.div_euclid(1000))),
                None => drop(self.oldest.remove(&labels)),
            }
        }
    }
}
