//! Everything that is wrong with a spec.

use shared::reason::{Reason, Refusal};

/// What is wrong with a spec. All of it is told at once; the first one gives the reason.
pub(super) struct Faults {
    /// Where the spec stands in its object.
    root: &'static str,
    all: Vec<(Reason, String)>,
}

impl Faults {
    pub(super) fn of(root: &'static str) -> Self {
        Self { root, all: Vec::new() }
    }

    /// A message that begins with its field's path, which begins with `spec.`.
    pub(super) fn add(&mut self, reason: Reason, message: impl Into<String>) {
        let message = message.into();
        let told = match message.strip_prefix("spec.") {
            Some(rest) => format!("{}.{rest}", self.root),
            None => message,
        };
        self.all.push((reason, told));
    }

    pub(super) fn or<T>(self, good: T) -> Result<T, Refusal> {
        let Some((reason, _)) = self.all.first() else { return Ok(good) };
        let messages: Vec<&str> = self.all.iter().map(|(_, message)| message.as_str()).collect();
        Err(Refusal::new(*reason, messages.join("; ")))
    }
}
