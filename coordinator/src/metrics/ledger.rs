//! How much the ledger holds.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Kind {
    Record,
    Claim,
}

/// Objects, and bytes of their texts.
#[derive(Default)]
pub(super) struct Ledger {
    objects: Family<KindLabel, Gauge>,
    bytes: Family<KindLabel, Gauge>,
}

impl Ledger {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("isochron_ledger_objects", "Objects in the ledger, by kind", self.objects.clone());
        registry.register("isochron_ledger_bytes", "Length of their texts, by kind", self.bytes.clone());
    }

    pub(super) fn holds(&self, records: (u64, u64), claims: (u64, u64)) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (kind, (objects, bytes)) in [(Kind::Record, records), (Kind::Claim, claims)] {
            self.objects.get_or_create(&KindLabel { kind }).set(number(objects));
            self.bytes.get_or_create(&KindLabel { kind }).set(number(bytes));
        }
    }
}
