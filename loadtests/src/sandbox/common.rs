//! What a sandbox on files and one on an API server have in common.

use coordinator::ports::Logs;
use shared::{request::Limits, time::Millis};

/// Of the VolumeBackups that `backup` writes.
pub(super) const NAMESPACE: &str = "sandbox";

/// Of backups that set none; stores may have started a moment ago.
pub(super) fn limits() -> Limits {
    Limits { store_uptime: Millis(0), ..Limits::default() }
}

/// Of this process.
pub(super) struct OwnLogs;

impl Logs for OwnLogs {
    fn filter(&self) -> Result<String, String> {
        shell::telemetry::filter().map_err(|error| error.to_string())
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        shell::telemetry::set_filter(filter).map_err(|error| error.to_string())
    }

    fn recent(&self) -> Vec<String> {
        shell::telemetry::recent()
    }
}
