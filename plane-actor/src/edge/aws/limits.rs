//! How long a call may take.

use aws_config::timeout::TimeoutConfig;
use std::time::Duration;

/// TCP and TLS, the SDK's own default.
const CONNECT_LIMIT: Duration = Duration::from_millis(3100);

/// Limits of one call, per attempt and in all.
pub(crate) fn limits(attempt: Duration, call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(call)
        .build()
}
