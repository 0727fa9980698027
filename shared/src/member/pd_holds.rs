//! What the init plane holds at PD: the GC safe point, and paused schedulers. Renewed together.

use crate::ts::Ts;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PdHolds {
    gc_hold: Option<Ts>,
    /// The work that renews them now.
    renewing: Option<u64>,
    failures: u64,
}

impl PdHolds {
    /// In other planes too: that is what leaders are asked against.
    pub(super) fn gc_holds_at(&mut self, gc_hold: Ts) {
        self.gc_hold = Some(gc_hold);
    }

    /// What GC stands still at, once it is known.
    pub(super) fn gc_hold(&self) -> Option<Ts> {
        self.gc_hold
    }

    pub(super) fn is_renewing(&self) -> bool {
        self.renewing.is_some()
    }

    pub(super) fn renew(&mut self, work: u64) {
        self.renewing = Some(work);
    }

    /// Work ended. True if it was the renewal.
    pub(super) fn renewal_ends(&mut self, work: u64) -> bool {
        self.renewing.take_if(|renewing| *renewing == work).is_some()
    }

    /// No renewal is waited for any more; the work that is to be cancelled.
    pub(super) fn stop_renewing(&mut self) -> Option<u64> {
        self.renewing.take()
    }

    pub(super) fn renewal_failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Renewals that failed without ending anything.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }
}
