//! Times as Kubernetes has them and lengths of time as Go writes them, which users read in status.

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
