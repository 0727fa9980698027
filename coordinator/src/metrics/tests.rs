//! What a scrape reads, line by line.
#![allow(clippy::unwrap_used)]

mod rules;

use super::*;
use crate::fixtures::record;
use shared::{
    barrier::{BarrierTimes, LastRefusal, Phase, PlaneView, Record},
    ids::PlaneId,
    reason::Refusal,
    time::{Millis, Timestamp},
};

fn seen(metrics: &Metrics, record: &Record) {
    let record = record.clone();
    let (clock, planes, waiting_for, alarms) = Default::default();
    shown(metrics, &View { record, phase: Phase::Complete, clock, planes, waiting_for, alarms });
}

fn shown(metrics: &Metrics, view: &View) {
    metrics.viewed(view, Timestamp(77_000));
}

fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry()).unwrap();
    text
}

#[test]
fn the_five_old_names_stand_as_they_did() {
    let metrics = Metrics::new();
    let mut record = record();
    record.times.started = Some(Timestamp(1_000));
    // The names are told in order, whatever theirs was.
    record.request.members.reverse();
    seen(&metrics, &record);
    seen(&metrics, &record);
    record.milestone = Milestone::Certified;
    record.barrier = BarrierTimes { settle: Some(Millis(800)), reach: Some(Millis(1_200)), hold: Some(Millis(2_000)) };
    seen(&metrics, &record);
    seen(&metrics, &record);
    record.milestone = Milestone::Complete;
    record.times.completed = Some(Timestamp(91_500));
    record.planes.values_mut().for_each(|plane| plane.completed_bytes = Some(1 << 30));
    seen(&metrics, &record);
    record.milestone = Milestone::Cleaned;
    (record.times.deleted, record.times.cleaned) = (Some(Timestamp(100_000)), Some(Timestamp(104_250)));
    seen(&metrics, &record);
    let text = text(&metrics);
    let of = r#"namespace="br-admin",tc="shop-az1,shop-az2""#;
    for line in [
        format!(r#"fed_volume_backup_status{{{of},status="Running"}} 0"#),
        format!(r#"fed_volume_backup_status{{{of},status="SnapshotsCreated"}} 0"#),
        format!(r#"fed_volume_backup_status{{{of},status="Complete"}} 1"#),
        format!(r#"fed_volume_backup_status{{{of},status="Failed"}} 0"#),
        format!(r#"fed_volume_backup_status{{{of},status="Cleaned"}} 0"#),
        format!("fed_volume_backup_total_time_sec{{{of}}} 90.5"),
        format!("fed_volume_backup_total_size_gb{{{of}}} 2.0"),
        format!(r#"fed_volume_backup_cleanup_status{{{of},status="Cleaned"}} 1"#),
        format!("fed_volume_backup_cleanup_total_time_sec{{{of}}} 4.25"),
        r#"isochron_barrier_duration_seconds_sum{part="Hold",outcome="Released"} 2.0"#.to_owned(),
        r#"isochron_barrier_limit_seconds{part="Hold"} 60.0"#.to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

fn has(metrics: &Metrics, line: &str) -> bool {
    text(metrics).lines().any(|found| found == line)
}

/// A view in which these planes refuse, for these reasons.
fn refused(record: &Record, step: Phase, by: &[(&str, Reason)]) -> View {
    let (clock, waiting_for, alarms) = Default::default();
    let live = |reason: Reason| {
        let refusal = Refusal::new(reason, "no");
        let refused = Some(LastRefusal { refusal, since: Timestamp(5), tries: 1, again: None });
        PlaneView { connected: true, owes: true, refused, ..PlaneView::default() }
    };
    let planes = by.iter().map(|(plane, reason)| (PlaneId::from(*plane), live(*reason))).collect();
    View { record: record.clone(), phase: step, clock, planes, waiting_for, alarms }
}

#[test]
fn a_deletion_that_leaves_something_over_counts_once() {
    let metrics = Metrics::new();
    let mut record = record();
    seen(&metrics, &record);
    record.milestone = Milestone::Complete;
    seen(&metrics, &record);
    (record.milestone, record.deleting) = (Milestone::Cleaning, true);
    seen(&metrics, &record);
    record.clean_failure = Some("plane az1: AccessDenied: ec2:DeleteSnapshot".to_owned());
    seen(&metrics, &record);
    seen(&metrics, &record);
    let failed =
        r#"fed_volume_backup_cleanup_status{namespace="br-admin",tc="shop-az1,shop-az2",status="CleanFailed"}"#;
    assert!(has(&metrics, &format!("{failed} 1")), "{}", text(&metrics));
    // Mended, and broken anew.
    record.clean_failure = None;
    seen(&metrics, &record);
    record.clean_failure = Some("plane az2: StorageUnavailable: 503".to_owned());
    seen(&metrics, &record);
    assert!(has(&metrics, &format!("{failed} 2")), "{}", text(&metrics));
}

#[test]
fn a_barrier_is_a_series_while_it_holds() {
    let metrics = Metrics::new();
    let record = record();
    let line = r#"isochron_barrier_holding{namespace="br-admin",name="nightly"} 1"#;
    for (phase, holds) in [
        (Phase::Reserving, false),
        (Phase::Settling, true),
        (Phase::Snapshotting, true),
        (Phase::Releasing, true),
        (Phase::Completing, false),
        (Phase::Suspending, true),
        (Phase::Aborting, false),
    ] {
        shown(&metrics, &refused(&record, phase, &[]));
        assert_eq!(has(&metrics, line), holds, "{phase:?}");
        let began = r#"isochron_barrier_started_timestamp_seconds{namespace="br-admin",name="nightly"} 77"#;
        assert_eq!(has(&metrics, began), holds, "{phase:?}");
    }
}

#[test]
fn planes_are_told_by_name_and_forgotten() {
    let metrics = Metrics::new();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let az1 = PlaneId::from("az1");
    metrics.planes(&names(&["az1", "az2"]), [&az1].into_iter());
    for line in [
        "isochron_planes_configured 2",
        "isochron_planes_connected 1",
        r#"isochron_session_up{plane="az1"} 1"#,
        r#"isochron_session_up{plane="az2"} 0"#,
    ] {
        assert!(has(&metrics, line), "{line} is missing in\n{}", text(&metrics));
    }
    // Taken from the list: it is told while it is there.
    metrics.planes(&names(&["az2"]), [&az1].into_iter());
    assert!(has(&metrics, r#"isochron_session_up{plane="az1"} 1"#));
    metrics.planes(&names(&["az2"]), [].into_iter());
    assert!(!text(&metrics).contains("az1"), "{}", text(&metrics));
}

#[test]
fn the_first_clean_up_is_an_increase() {
    let metrics = Metrics::new();
    seen(&metrics, &record());
    let of = r#"namespace="br-admin",tc="shop-az1,shop-az2""#;
    for status in ["Cleaned", "CleanFailed"] {
        assert!(has(&metrics, &format!(r#"fed_volume_backup_cleanup_status{{{of},status="{status}"}} 0"#)));
    }
}

#[test]
fn what_blocks_a_backup_is_a_series_while_it_does() {
    let metrics = Metrics::new();
    let mut record = record();
    record.milestone = Milestone::Certified;
    let series =
        |reason: &str| format!(r#"isochron_backup_blocked{{namespace="br-admin",name="nightly",reason="{reason}"}} 1"#);
    let both = [("az1", Reason::AccessDenied), ("az2", Reason::StorageUnavailable)];
    shown(&metrics, &refused(&record, Phase::Completing, &both));
    shown(&metrics, &refused(&record, Phase::Completing, &both));
    assert!(has(&metrics, &series("AccessDenied")) && has(&metrics, &series("StorageUnavailable")));
    let mut view = refused(&record, Phase::Completing, &both[..1]);
    let away = PlaneView { owes: true, ..PlaneView::default() };
    view.planes.insert("az2".into(), away.clone());
    shown(&metrics, &view);
    assert!(has(&metrics, &series("AccessDenied")) && has(&metrics, &series("PlaneNotConnected")));
    assert!(!has(&metrics, &series("StorageUnavailable")));
    // While a clock runs, a plane that is away blocks nothing: the clock decides.
    record.milestone = Milestone::Preparing;
    let mut view = refused(&record, Phase::Preparing, &[]);
    view.planes.insert("az2".into(), away);
    shown(&metrics, &view);
    assert!(!text(&metrics).contains("isochron_backup_blocked{"), "{}", text(&metrics));
    record.milestone = Milestone::Certified;
    shown(&metrics, &refused(&record, Phase::Completing, &both));
    record.milestone = Milestone::Cleaned;
    shown(&metrics, &refused(&record, Phase::Cleaned, &[]));
    assert!(!text(&metrics).contains("isochron_backup_blocked{"), "{}", text(&metrics));
}

#[test]
fn the_first_failure_of_a_reason_is_an_increase_and_its_hold_is_measured() {
    let metrics = Metrics::new();
    assert!(has(&metrics, r#"isochron_failures_total{reason="HoldTimedOut"} 0"#));
    let mut record = record();
    seen(&metrics, &record);
    record.milestone = Milestone::Aborting;
    record.failure = Some(Refusal::new(Reason::HoldTimedOut, "hold limit of 60 s ran out"));
    record.barrier.hold = Some(Millis(60_000));
    seen(&metrics, &record);
    let length = r#"isochron_barrier_duration_seconds_sum{part="Hold",outcome="Aborted"} 60.0"#;
    assert!(has(&metrics, length), "when it aborts, not when the last plane is clean: {}", text(&metrics));
    let of = r#"namespace="br-admin",tc="shop-az1,shop-az2""#;
    assert!(has(&metrics, &format!(r#"isochron_cluster_failures_total{{{of},reason="HoldTimedOut"}} 0"#)));
    record.milestone = Milestone::Failed;
    seen(&metrics, &record);
    assert!(has(&metrics, r#"isochron_failures_total{reason="HoldTimedOut"} 1"#));
    assert!(has(&metrics, &format!(r#"isochron_cluster_failures_total{{{of},reason="HoldTimedOut"}} 1"#)));
    assert!(has(&metrics, length), "it counts once: {}", text(&metrics));
    // Another attempt has a barrier of its own.
    (record.milestone, record.attempt) = (Milestone::Preparing, 2);
    seen(&metrics, &record);
    record.milestone = Milestone::Aborting;
    seen(&metrics, &record);
    assert!(has(&metrics, &length.replace("60.0", "120.0")), "{}", text(&metrics));
}

#[test]
fn snapshots_are_counted_while_they_are_made_and_stored() {
    let metrics = Metrics::new();
    let series = |plane: &str, step: &str| {
        format!(
            r#"isochron_snapshot_progress_ratio{{namespace="br-admin",name="nightly",plane="{plane}",step="{step}"}}"#
        )
    };
    let mut view = refused(&record(), Phase::Snapshotting, &[]);
    let plane = |done, total, owes| PlaneView { owes, answered: !owes, done, total, ..PlaneView::default() };
    view.planes.insert("az1".into(), plane(3, 4, true));
    view.planes.insert("az2".into(), plane(0, 0, false));
    shown(&metrics, &view);
    assert!(has(&metrics, &format!("{} 0.75", series("az1", "Snapshotting"))), "{}", text(&metrics));
    assert!(has(&metrics, &format!("{} 1.0", series("az2", "Snapshotting"))));
    view.phase = Phase::Completing;
    shown(&metrics, &view);
    assert!(has(&metrics, &format!("{} 0.75", series("az1", "Completing"))));
    assert!(!text(&metrics).contains("Snapshotting\"}"), "{}", text(&metrics));
    view.phase = Phase::Complete;
    shown(&metrics, &view);
    assert!(!text(&metrics).contains("isochron_snapshot_progress_ratio{"), "{}", text(&metrics));
}

#[test]
fn backups_that_are_there_are_counted_by_what_they_are() {
    let metrics = Metrics::new();
    assert!(has(&metrics, r#"isochron_backups{phase="Failed"} 0"#));
    let all = [(Present::Complete, Some(9_000)), (Present::Complete, Some(7_500)), (Present::Invalid, None)];
    metrics.present(all.iter().map(|(phase, began)| (*phase, began.map(Timestamp))));
    assert!(has(&metrics, r#"isochron_backups{phase="Complete"} 2"#));
    assert!(has(&metrics, r#"isochron_backups_oldest_timestamp_seconds{phase="Complete"} 7"#));
    assert!(!text(&metrics).contains(r#"oldest_timestamp_seconds{phase="Invalid"}"#));
    metrics.present(std::iter::empty());
    assert!(has(&metrics, r#"isochron_backups{phase="Complete"} 0"#));
    assert!(!text(&metrics).contains("isochron_backups_oldest_timestamp_seconds{"), "{}", text(&metrics));
}
