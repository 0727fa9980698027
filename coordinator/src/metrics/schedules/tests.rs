use super::*;
use prometheus_client::encoding::text::encode;
use shared::schedule::Status;

fn view(last_backup: i64, phase: Phase) -> View {
    View {
        key: ScheduleKey { namespace: "br".to_owned(), name: "nightly".to_owned() },
        group: None,
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        status: Status {
            last_backup_time: Some(Timestamp(last_backup * 3_600_000)),
            last_success_time: Some(Timestamp(7_200_500)),
            next_run: (phase == Phase::Active).then_some(Timestamp(10_800_000)),
            phase,
            ..Status::default()
        },
        running: Vec::new(),
        backups: 2,
        last_proven: Some(Timestamp(7_100_000)),
    }
}

fn text(registry: &Registry) -> String {
    let mut out = String::new();
    encode(&mut out, registry).unwrap();
    out
}

#[test]
fn a_schedule_is_seen_until_it_is_gone() {
    let mut registry = Registry::default();
    let metrics = ScheduleMetrics::default();
    metrics.register(&mut registry);
    metrics.shown(&view(2, Phase::Active));
    let of = r#"{namespace="br",schedule="nightly"}"#;
    let shown = text(&registry);
    for line in [
        format!("isochron_schedule_last_success_timestamp_seconds{of} 7200"),
        format!("isochron_schedule_next_run_timestamp_seconds{of} 10800"),
        format!("isochron_schedule_last_proven_timestamp_seconds{of} 7100"),
        format!("isochron_schedule_interval_seconds{of} 3600"),
        format!("isochron_schedule_active{of} 1"),
        format!("isochron_schedule_backups{of} 2"),
        format!("isochron_schedule_missed_runs_total{of} 0"),
    ] {
        assert!(shown.contains(&line), "{line}:\n{shown}");
    }
    // Three hours later the run of the fifth hour: those of the third and the fourth were missed.
    metrics.shown(&view(5, Phase::Paused));
    metrics.shown(&view(5, Phase::Paused));
    let shown = text(&registry);
    assert!(shown.contains(&format!("isochron_schedule_missed_runs_total{of} 2")), "{shown}");
    assert!(!shown.contains("next_run_timestamp_seconds{"), "none while it is paused:\n{shown}");
    assert!(!shown.contains("interval_seconds{"), "none while it is paused:\n{shown}");
    metrics.gone(&view(5, Phase::Paused).key);
    assert!(!text(&registry).contains("nightly"));
}

#[test]
fn the_interval_is_that_over_a_weekend() {
    let days = |days: i64| 86_400_000 * days;
    // The first of January 1970 was a Thursday.
    let status = Status { next_run: Some(Timestamp(0)), ..Status::default() };
    let weekdays = View { cron: "0 0 * * 1-5".to_owned(), status, ..view(0, Phase::Active) };
    assert_eq!(longest_pause(&weekdays), Some(days(3)));
    let never = View { cron: "0 0 30 2 *".to_owned(), ..weekdays };
    assert_eq!(longest_pause(&never), None);
}
