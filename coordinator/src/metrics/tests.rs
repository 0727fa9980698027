//! What a scrape reads, line by line.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::kit::record;
use shared::{
    barrier::{BarrierTimes, Record, Step},
    time::Millis,
};

fn seen(metrics: &Metrics, record: &Record) {
    let record = record.clone();
    let (clock, planes, waiting_for, alarms) = Default::default();
    metrics.viewed(&View { record, step: Step::Complete, clock, planes, waiting_for, alarms });
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
    record.stage = Stage::Complete;
    record.times.completed = Some(Timestamp(91_500));
    record.barrier = BarrierTimes { settle: Some(Millis(800)), reach: Some(Millis(1_200)), hold: Some(Millis(2_000)) };
    record.planes.values_mut().for_each(|plane| plane.completed_bytes = Some(1 << 30));
    seen(&metrics, &record);
    record.stage = Stage::Cleaned;
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
        r#"isochron_barrier_duration_seconds_sum{part="Hold"} 2.0"#.to_owned(),
        r#"isochron_barrier_limit_seconds{part="Hold"} 60.0"#.to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}
