//! Time stamps as EC2 writes them.

/// `2026-11-22T15:00:00.123Z` from milliseconds since 1970.
pub(crate) fn rfc3339(millis: i64) -> String {
    // Any clock within its range (year ±9999); beyond it the epoch is as good as anything.
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    fn milliseconds_are_always_there() {
        assert_eq!(super::rfc3339(1_795_359_600_123), "2026-11-22T15:00:00.123Z");
        assert_eq!(super::rfc3339(1_795_359_600_000), "2026-11-22T15:00:00.000Z");
    }
}
