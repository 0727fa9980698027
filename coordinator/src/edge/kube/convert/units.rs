//! Times as Kubernetes has them, lengths of time and sizes as Go writes them, which users read in status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use shared::time::{Millis, Timestamp};

pub(super) fn millis(time: &Time) -> Timestamp {
    Timestamp(time.0.as_millisecond())
}

/// `Duration.Round(time.Second).String()`: `45s`, `16m4s`, `1h0m3s`.
pub fn go_duration(length: Millis) -> String {
    let seconds = length.0.saturating_add(500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// go-humanize's `Bytes` (`facts/tidb-operator.md` §7): SI units, one decimal below ten.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let (mut unit, mut scale) = (0, 1.0_f64);
    while unit + 1 < UNITS.len() && bytes as f64 >= scale * 1000.0 {
        unit += 1;
        scale *= 1000.0;
    }
    let value = (bytes as f64 / scale * 10.0 + 0.5).floor() / 10.0;
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}
