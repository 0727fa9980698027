//! What is said of JSON that others wrote and that cannot be read: it goes into answers, logs and records.

use shared::reason::cut;

/// serde quotes what it met, and that may be a text of any length.
const MAX: usize = 512;

pub(crate) fn unread(error: &serde_json::Error) -> String {
    cut(error.to_string(), MAX)
}
