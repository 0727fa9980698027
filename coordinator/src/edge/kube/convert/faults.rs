//! Everything that is wrong with a spec.

use shared::{
    reason::{Reason, Refusal, cut},
    wire::TEXT_MAX,
};

/// Longest message of one fault: it quotes the value that is wrong, whatever its length is.
const ONE_MAX: usize = TEXT_MAX / 2;

/// What is wrong with a spec. All of it is told at once, as far as one text goes; the first one gives the reason.
pub(super) struct Faults {
    /// Where the spec stands in its object.
    root: &'static str,
    all: Vec<(Reason, String)>,
    /// How long they are together.
    length: usize,
}

impl Faults {
    pub(super) fn of(root: &'static str) -> Self {
        Self { root, all: Vec::new(), length: 0 }
    }

    /// A message that begins with its field's path, which begins with `spec.`.
    pub(super) fn add(&mut self, reason: Reason, message: impl Into<String>) {
        // Ten thousand clusters that say nothing would have thirty thousand.
        if self.length > TEXT_MAX {
            return;
        }
        let message = cut(message.into(), ONE_MAX);
        let told = match message.strip_prefix("spec.") {
            Some(rest) => format!("{}.{rest}", self.root),
            None => message,
        };
        self.length += told.len();
        self.all.push((reason, told));
    }

    pub(super) fn or<T>(self, good: T) -> Result<T, Refusal> {
        let Some((reason, _)) = self.all.first() else { return Ok(good) };
        let messages: Vec<&str> = self.all.iter().map(|(_, message)| message.as_str()).collect();
        Err(Refusal::new(*reason, cut(messages.join("; "), TEXT_MAX)))
    }
}
