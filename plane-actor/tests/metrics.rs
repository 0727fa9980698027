//! `deploy/metrics/plane-actor.md` is what a plane tells.
#![allow(clippy::unwrap_used)]

use plane_actor::metrics::PlaneMetrics;
use prometheus_client::{encoding::text::encode, registry::Registry};
use shared::{
    limiter::{Budget, Limiter},
    time::{Instant, Timestamp},
};
use shell::{
    expiry::{Expiries, Expiry, Kind},
    told,
};

const PAGE: &str = "../deploy/metrics/plane-actor.md";

fn page() -> String {
    let mut registry = Registry::default();
    let metrics = PlaneMetrics::register(&mut registry);
    let limiter = Limiter::new(Budget::EC2_CREATE_SNAPSHOTS, Instant(0));
    metrics.levels().show("123456789012", "eu-central-1", "CreateSnapshots", &limiter, Instant(0));
    let own = Expiry { identity: "plane/az1".to_owned(), kind: Kind::Own, at: Timestamp(1) };
    Expiries::register(&mut registry).set(&[own]);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    format!("# Metrics of a plane actor\n\nWritten from the program, see `CONTRIBUTING.md`.\n\n{}", told::table(&text))
}

#[test]
fn the_table_is_what_a_plane_tells() {
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
}

#[test]
#[ignore = "writes the table anew: cargo test -p isochron-plane-actor --test metrics -- --ignored"]
fn write_the_table() {
    std::fs::write(PAGE, page()).unwrap();
}
