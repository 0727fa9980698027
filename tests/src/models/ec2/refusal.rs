//! How EC2 says no.

/// A refusal by its code, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// As in `facts/aws.md`.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
