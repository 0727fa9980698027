//! What a process logs, changed while it runs. A process of its own: logs are set up once in each.
#![allow(clippy::unwrap_used)]

use shell::telemetry::{self, Format, TelemetryError};
use tracing::{Level, enabled};

#[test]
fn the_filter_is_changed_while_the_process_runs_and_credentials_stay_unsaid() {
    assert!(matches!(telemetry::filter(), Err(TelemetryError::NotSetUp)));
    assert!(matches!(telemetry::set_filter("debug"), Err(TelemetryError::NotSetUp)));
    telemetry::init(Format::Text, "info").unwrap();
    assert_eq!(telemetry::filter().unwrap(), "info");
    assert!(!enabled!(Level::DEBUG));
    telemetry::set_filter("warn,log_filter=debug").unwrap();
    assert!(enabled!(Level::DEBUG));
    assert!(!enabled!(target: "coordinator", Level::INFO));
    telemetry::set_filter("trace").unwrap();
    assert!(enabled!(Level::TRACE) && !enabled!(target: "aws_sigv4", Level::TRACE));
    let before = telemetry::filter().unwrap();
    assert!(telemetry::set_filter("info,=").unwrap_err().to_string().contains("info,coordinator=debug"));
    assert_eq!(telemetry::filter().unwrap(), before);
}
