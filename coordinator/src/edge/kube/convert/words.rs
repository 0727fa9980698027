//! Texts and times as every status bears them.

use shared::{barrier::Record, reason::Refusal, time::Timestamp};

/// Longest text that a row, condition or alarm carries; whole reports are in the console.
pub(super) const MAX_TEXT: usize = 1024;

/// What a backup that ended well proves.
pub(super) fn proof(record: &Record) -> &'static str {
    // A backup of the old manager has no certificate.
    record.certificate.as_ref().map_or("NotProven", |certificate| certificate.verdict.as_str())
}

/// What happened, and what a person can do about it.
pub(super) fn advice(refusal: &Refusal) -> String {
    short(&refusal.advice())
}

/// At most [`MAX_TEXT`] bytes, cut between characters.
pub(crate) fn short(text: &str) -> String {
    shortened(text, MAX_TEXT)
}

/// At most so many bytes.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(3)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// Kubernetes integers are int64.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Time stamps in Kubernetes have whole seconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0.div_euclid(1000)).unwrap_or_default().to_string()
}
