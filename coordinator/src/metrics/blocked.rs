//! Backups that do not move, and why: a gauge while it is so, nothing when it is over.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{barrier::Record, reason::Reason};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBackup {
    namespace: String,
    name: String,
    reason: &'static str,
}

/// At most one series per backup and reason; reasons are the published table's.
#[derive(Default)]
pub(super) struct Blocked(Family<OfBackup, Gauge>);

impl Blocked {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_backup_blocked",
            "1 while planes refuse what a backup needs, or are not there, and no clock ends that; by reason",
            self.0.clone(),
        );
    }

    /// What was in the way, and what is now.
    pub(super) fn turned(&self, record: &Record, before: Option<&BTreeSet<Reason>>, now: &BTreeSet<Reason>) {
        let of = |reason: &Reason| OfBackup {
            namespace: record.request.namespace.clone(),
            name: record.request.name.clone(),
            reason: reason.as_str(),
        };
        for over in before.into_iter().flatten().filter(|reason| !now.contains(reason)) {
            self.0.remove(&of(over));
        }
        for reason in now {
            self.0.get_or_create(&of(reason)).set(1);
        }
    }
}
