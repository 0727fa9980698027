//! Barriers: how long each part took, how long it may, how attempts ended, and which holds stores now.

use super::cluster::Cluster;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use shared::{
    barrier::{Milestone, Phase, Record, Verdict, View},
    reason::Reason,
    time::{Millis, Timestamp},
};
use std::sync::atomic::AtomicU64;

/// Seconds, from a tenth to ten minutes: the barrier's limits are 120 s and 60 s.
const BUCKETS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 600.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Part {
    Settle,
    Reach,
    Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabel {
    part: Part,
}

/// How a barrier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Released,
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartOutcome {
    part: Part,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterWhy {
    namespace: String,
    tc: String,
    reason: &'static str,
}

impl ClusterWhy {
    fn of(cluster: &Cluster, reason: Reason) -> Self {
        Self { namespace: cluster.namespace.clone(), tc: cluster.tc.clone(), reason: reason.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBackup {
    namespace: String,
    name: String,
}

impl OfBackup {
    fn of(record: &Record) -> Self {
        Self { namespace: record.request.namespace.clone(), name: record.request.name.clone() }
    }
}

/// Instruments of attempts and their barriers.
pub(super) struct Barriers {
    limits: Family<PartLabel, Gauge<f64, AtomicU64>>,
    duration: Family<PartOutcome, Histogram>,
    failures: Family<Why, Counter>,
    cluster_failures: Family<ClusterWhy, Counter>,
    regions: Family<Cluster, Gauge>,
    weaker: Counter,
    holding: Family<OfBackup, Gauge>,
    began: Family<OfBackup, Gauge>,
}

impl Barriers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let all = Self {
            limits: Family::default(),
            duration: Family::new_with_constructor(histogram),
            failures: Family::default(),
            cluster_failures: Family::default(),
            regions: Family::default(),
            weaker: Counter::default(),
            holding: Family::default(),
            began: Family::default(),
        };
        registry.register_with_unit(
            "isochron_barrier_duration",
            "Length of each part of the barrier, counted when it is released or aborted: settle (PD only), reach, hold",
            Unit::Seconds,
            all.duration.clone(),
        );
        registry.register_with_unit(
            "isochron_barrier_limit",
            "Limit of each part of the barrier in the latest attempt",
            Unit::Seconds,
            all.limits.clone(),
        );
        registry.register(
            "isochron_barrier_holding",
            "1 from Settle until a backup has released its holds or begins to abort; by backup",
            all.holding.clone(),
        );
        registry.register(
            "isochron_barrier_started_timestamp_seconds",
            "When a barrier that holds now began to, as this process saw it (Unix time); by backup",
            all.began.clone(),
        );
        registry.register("isochron_failures", "Attempts that ended badly, by reason", all.failures.clone());
        registry.register(
            "isochron_cluster_failures",
            "Attempts that ended badly, by TiDB cluster and reason",
            all.cluster_failures.clone(),
        );
        registry.register(
            "isochron_cluster_regions",
            "Regions that the newest certificate of a TiDB cluster names",
            all.regions.clone(),
        );
        registry.register(
            "isochron_weaker_certificates",
            "Certificates that prove less than consistency, because TiKV was too old to be held in full",
            all.weaker.clone(),
        );
        for reason in Reason::ALL {
            // Without a 0 before it the first failure of a reason would be no increase.
            drop(all.failures.get_or_create(&Why { reason: reason.as_str() }));
        }
        all
    }

    /// A backup is seen for the first time: what its cluster may fail with stands at 0 before it does.
    pub(super) fn met(&self, record: &Record) {
        let cluster = Cluster::of(record);
        for reason in Reason::ALL {
            drop(self.cluster_failures.get_or_create(&ClusterWhy::of(&cluster, *reason)));
        }
    }

    /// Everything is let go, or begins to be: how long each part took will not change.
    pub(super) fn let_go(&self, record: &Record) {
        let outcome = if record.milestone == Milestone::Aborting { Outcome::Aborted } else { Outcome::Released };
        let times = &record.barrier;
        for (part, length) in [(Part::Settle, times.settle), (Part::Reach, times.reach), (Part::Hold, times.hold)] {
            if let Some(length) = length {
                self.duration.get_or_create(&PartOutcome { part, outcome }).observe(seconds(length));
            }
        }
    }

    /// An attempt is at this milestone for the first time.
    pub(super) fn reached(&self, record: &Record) {
        match record.milestone {
            Milestone::Preparing => {
                let limits = &record.request.limits;
                for (part, limit) in
                    [(Part::Settle, limits.settle), (Part::Reach, limits.reach), (Part::Hold, limits.hold)]
                {
                    self.limits.get_or_create(&PartLabel { part }).set(seconds(limit));
                }
            }
            Milestone::Certified => {
                let Some(certificate) = &record.certificate else { return };
                let regions = i64::try_from(certificate.regions).unwrap_or(i64::MAX);
                self.regions.get_or_create(&Cluster::of(record)).set(regions);
                if certificate.verdict == Verdict::Weaker {
                    self.weaker.inc();
                }
            }
            Milestone::Failed => {
                let reason = record.failure.as_ref().map_or(Reason::Internal, |refusal| refusal.reason);
                self.failures.get_or_create(&Why { reason: reason.as_str() }).inc();
                self.cluster_failures.get_or_create(&ClusterWhy::of(&Cluster::of(record), reason)).inc();
            }
            Milestone::Complete
            | Milestone::Barrier
            | Milestone::Snapshotting
            | Milestone::Aborting
            | Milestone::Cleaning
            | Milestone::Cleaned => {}
        }
    }

    /// A barrier showed itself.
    pub(super) fn shown(&self, view: &View, now: Timestamp) {
        let of = OfBackup::of(&view.record);
        if (Phase::Settling..=Phase::Releasing).contains(&view.phase) {
            self.holding.get_or_create(&of).set(1);
            let began = self.began.get_or_create(&of);
            if began.get() == 0 {
                began.set(now.0.div_euclid(1000));
            }
        } else {
            self.holding.remove(&of);
            self.began.remove(&of);
        }
    }
}

fn seconds(length: Millis) -> f64 {
    length.0 as f64 / 1000.0
}
