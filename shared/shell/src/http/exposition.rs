//! Metrics as whoever asks wants them: OpenMetrics, as the library writes it, or Prometheus' own text format 0.0.4.
//!
//! The two differ in small things that checkers complain about: in the older one the name in `# HELP` and `# TYPE` is the
//! one exposed (`…_total` of a counter), and there is no `# UNIT` and no `# EOF`.

use std::fmt::Write as _;

/// What prometheus-client writes (`facts/tech.md` §6).
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What everybody reads, and gets who does not ask for the other.
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Does an `Accept` header ask for OpenMetrics? Without weighing: who names it can read it.
pub(super) fn asks_for_open_metrics(accept: Option<&str>) -> bool {
    let kind = |part: &str| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let refused = |part: &str| part.split(';').skip(1).any(|option| matches!(option.trim(), "q=0" | "q=0.0"));
    accept
        .is_some_and(|text| text.split(',').any(|part| kind(part) == "application/openmetrics-text" && !refused(part)))
}

/// The same samples in the older format.
pub(super) fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else {
            let _to_a_string = writeln!(text, "{line}");
            continue;
        };
        // The library writes the type behind the help, always.
        let kind = lines.next_if(|next| next.starts_with("# TYPE ")).and_then(|next| next.rsplit_once(' '));
        let (name, kind) = match kind.map(|(_, kind)| kind) {
            Some("counter") => (format!("{name}_total"), "counter"),
            Some("info") => (format!("{name}_info"), "gauge"),
            Some("unknown") | None => (name.to_owned(), "untyped"),
            Some(kind) => (name.to_owned(), kind),
        };
        let _to_a_string = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{
        encoding::text::encode,
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
        registry::{Registry, Unit},
    };

    #[test]
    fn help_and_type_stand_on_the_names_as_exposed() {
        let mut registry = Registry::default();
        let failures = Family::<Vec<(String, String)>, Counter>::default();
        failures.get_or_create(&vec![("reason".to_owned(), "StoreHoldLost".to_owned())]).inc();
        registry.register("isochron_failures", "Attempts that ended badly", failures);
        registry.register("isochron_planes_connected", "Planes with a live session", Gauge::<i64>::default());
        let length = Histogram::new([1.0]);
        length.observe(0.5);
        registry.register_with_unit("isochron_barrier_duration", "Length", Unit::Seconds, length);
        let mut open = String::new();
        encode(&mut open, &registry).unwrap();
        assert_eq!(
            prometheus(&open),
            "# HELP isochron_failures_total Attempts that ended badly.
# TYPE isochron_failures_total counter
isochron_failures_total{reason=\"StoreHoldLost\"} 1
# HELP isochron_planes_connected Planes with a live session.
# TYPE isochron_planes_connected gauge
isochron_planes_connected 0
# HELP isochron_barrier_duration_seconds Length.
# TYPE isochron_barrier_duration_seconds histogram
isochron_barrier_duration_seconds_sum 0.5
isochron_barrier_duration_seconds_count 1
isochron_barrier_duration_seconds_bucket{le=\"1.0\"} 1
isochron_barrier_duration_seconds_bucket{le=\"+Inf\"} 1
"
        );
    }

    #[test]
    fn open_metrics_is_for_those_who_name_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, wanted) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/plain;version=0.0.4"), false),
            (Some("application/openmetrics-text;q=0"), false),
            (Some(prometheus), true),
            (Some("Application/OpenMetrics-Text; version=1.0.0"), true),
        ] {
            assert_eq!(asks_for_open_metrics(accept), wanted, "{accept:?}");
        }
    }
}
