//! What alerts and the dashboard ask for is what a coordinator tells; a query of a wrong name is silent for ever.

use super::*;
use crate::fixtures::certificate;
use shared::{
    barrier::Verdict,
    schedule::{Phase, Status as ScheduleStatus},
    time::Timestamp,
};
use shell::expiry::{Expiry, Kind};
use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../../../../deploy/alerts/coordinator.yaml");
const DASHBOARD: &str = include_str!("../../../../deploy/charts/isochron/files/dashboard.json");

/// The dashboard shows planes as well; what they tell is compared in tests/charts/test_alerts.py.
const OF_PLANES: &str = "isochron_plane_";

/// Every series that there can be.
fn everything() -> Metrics {
    let metrics = Metrics::new();
    let mut record = record();
    record.certificate = Some(certificate(Verdict::Weaker));
    record.barrier = BarrierTimes { settle: Some(Millis(1)), reach: Some(Millis(1)), hold: Some(Millis(1)) };
    (record.times.started, record.times.completed) = (Some(Timestamp(1)), Some(Timestamp(2)));
    for milestone in [Milestone::Preparing, Milestone::Certified, Milestone::Complete] {
        record.milestone = milestone;
        seen(&metrics, &record);
    }
    (record.milestone, record.deleting) = (Milestone::Cleaning, true);
    shown(&metrics, &refused(&record, shared::barrier::Phase::Completing, &[("az1", Reason::AccessDenied)]));
    let mut other = record.clone();
    (record.milestone, record.times.deleted, record.times.cleaned) =
        (Milestone::Cleaned, Some(Timestamp(3)), Some(Timestamp(4)));
    seen(&metrics, &record);
    (other.milestone, other.deleting) = (Milestone::Certified, false);
    shown(&metrics, &refused(&other, shared::barrier::Phase::Completing, &[("az1", Reason::AccessDenied)]));
    (other.milestone, other.request.backup) = (Milestone::Barrier, BackupUid::new("held"));
    shown(&metrics, &refused(&other, shared::barrier::Phase::Covering, &[]));
    let mut counted = refused(&other, shared::barrier::Phase::Snapshotting, &[]);
    counted.record.request.backup = BackupUid::new("counted");
    counted.planes.insert("az1".into(), PlaneView { owes: true, done: 1, total: 2, ..PlaneView::default() });
    shown(&metrics, &counted);
    metrics.present([(Present::Complete, Some(Timestamp(1)))].into_iter());
    metrics.planes(&["az1".to_owned()].into(), [].into_iter());
    let status = ScheduleStatus {
        last_success_time: Some(Timestamp(1)),
        next_run: Some(Timestamp(2)),
        phase: Phase::Active,
        ..ScheduleStatus::default()
    };
    metrics.schedules(&[schedule::View {
        key: ScheduleKey { namespace: "br".to_owned(), name: "nightly".to_owned() },
        group: None,
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        status,
        running: Vec::new(),
        backups: 1,
        last_proven: Some(Timestamp(1)),
    }]);
    metrics.drained(&["az1"].into());
    metrics.ledger((1, 1), (1, 1));
    metrics.expiries().set(&[Expiry { identity: "plane/az1".to_owned(), kind: Kind::Own, at: Timestamp(1) }]);
    metrics
}

/// Names of metrics in queries.
fn asked(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| ["isochron_", "fed_volume_backup_", "process_"].iter().any(|of| word.starts_with(of))).collect()
}

const PAGE: &str = "../deploy/metrics/coordinator.md";

fn page() -> String {
    let table = shell::told::table(&text(&everything()));
    format!("# Metrics of a coordinator\n\nWritten from the program, see `CONTRIBUTING.md`.\n\n{table}")
}

#[test]
fn the_table_is_what_a_coordinator_tells() {
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
}

#[test]
#[ignore = "writes the table anew: cargo test -p isochron-coordinator --lib table -- --ignored"]
fn write_the_table() {
    std::fs::write(PAGE, page()).unwrap();
}

#[test]
fn alerts_and_the_dashboard_ask_for_what_is_told() {
    let told = text(&everything());
    let told: BTreeSet<&str> =
        told.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    for (page, least) in [(ALERTS, 12), (DASHBOARD, 20)] {
        let names = asked(page);
        assert!(names.len() >= least, "too few were found for the test to be true: {names:?}");
        let unknown: Vec<_> =
            names.iter().filter(|name| !told.contains(*name) && !name.starts_with(OF_PLANES)).collect();
        assert!(unknown.is_empty(), "nobody tells {unknown:?}");
    }
    // And what is told is asked for somewhere.
    let (alerts, dashboard) = (asked(ALERTS), asked(DASHBOARD));
    let unasked: Vec<_> = told.iter().filter(|name| !alerts.contains(*name) && !dashboard.contains(*name)).collect();
    assert!(unasked.is_empty(), "neither alert nor panel: {unasked:?}");
}
