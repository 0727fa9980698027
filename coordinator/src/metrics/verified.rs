//! Verifications of backups that are kept.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{time::Millis, verify};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Level {
    Sound,
    Partly,
    Unchecked,
    Broken,
}

impl Level {
    const fn of(level: verify::Level) -> Self {
        match level {
            verify::Level::Sound => Self::Sound,
            verify::Level::Partly => Self::Partly,
            verify::Level::Unchecked => Self::Unchecked,
            verify::Level::Broken => Self::Broken,
        }
    }
}

/// How they came out, what is broken, what is late.
#[derive(Default)]
pub(super) struct Verified {
    outcomes: Family<Labels, Counter>,
    broken: Gauge,
    late: Gauge,
}

impl Verified {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_verifications",
            "Verifications of kept backups by what came of them",
            self.outcomes.clone(),
        );
        registry.register(
            "isochron_backups_broken",
            "Complete backups that did not hold when they were last verified; nothing of them is deleted",
            self.broken.clone(),
        );
        registry.register(
            "isochron_verification_late_seconds",
            "For how long the newest backup of any schedule and TiDB cluster is due to be verified",
            self.late.clone(),
        );
        for level in verify::Level::ALL {
            drop(self.outcomes.get_or_create(&Labels { level: Level::of(level) }));
        }
    }

    pub(super) fn came(&self, level: verify::Level) {
        self.outcomes.get_or_create(&Labels { level: Level::of(level) }).inc();
    }

    pub(super) fn stand(&self, broken: usize, late: Option<Millis>) {
        self.broken.set(i64::try_from(broken).unwrap_or(i64::MAX));
        self.late.set(late.map_or(0, |late| i64::try_from(late.0 / 1000).unwrap_or(i64::MAX)));
    }
}
