//! The plane's own lease, from the coordinator: without it a hung coordinator could hold stores for ever.

use crate::time::Instant;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PlaneLease {
    until: Option<Instant>,
    last: Option<u64>,
}

impl PlaneLease {
    pub(super) fn begin(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// Only a new number extends it, because a repeated one may be old; and only while it runs.
    pub(super) fn renewed(&mut self, number: u64, until: Instant) {
        if self.last.is_none_or(|last| number > last) {
            self.last = Some(number);
            self.until = self.until.map(|_| until);
        }
    }

    pub(super) fn end(&mut self) {
        self.until = None;
    }

    pub(super) fn runs(&self) -> bool {
        self.until.is_some()
    }

    /// When it ends, while it runs.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}
