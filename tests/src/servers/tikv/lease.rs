//! The lease of one TiKV process (`facts/pd-tikv.md` §2.1): per process, not per stream or owner; whole seconds of a
//! monotonic clock; only extended, except by Finish.

/// `before` of the facts: the last second that is protected; 0 is no lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    before: u64,
}

impl Lease {
    /// Are commands rejected at second `now`? A lease that is over is forgotten here, as TiKV does.
    pub fn rejects(&mut self, now: u64) -> bool {
        if self.before < now {
            self.before = 0;
        }
        self.before != 0
    }

    /// UpdateLease; true if the lease was valid just before.
    pub fn update(&mut self, now: u64, seconds: u64) -> bool {
        let valid = self.before > now;
        self.before = self.before.max(now.saturating_add(seconds));
        valid
    }

    /// Finish; true if commands were rejected just before.
    pub fn finish(&mut self, now: u64) -> bool {
        let rejecting = self.rejects(now);
        self.before = 0;
        rejecting
    }
}

#[cfg(test)]
mod tests {
    use super::Lease;

    #[test]
    fn the_edges_of_a_second() {
        let mut lease = Lease::default();
        assert!(!lease.update(100, 10), "first of all");
        assert!(lease.update(109, 10), "a second before the end");
        assert!(lease.update(110, 0) && lease.rejects(119), "a shorter one changes nothing");
        assert!(!Lease { before: 119 }.update(119, 10), "strictly before its last second");
        assert!(!lease.rejects(120));
    }

    #[test]
    fn a_probe_holds_for_the_rest_of_its_second() {
        let mut lease = Lease::default();
        assert!(!lease.update(7, 0));
        assert!(lease.rejects(7) && !lease.rejects(8));
    }

    #[test]
    fn finish_ends_it_for_everybody() {
        let mut lease = Lease::default();
        lease.update(7, 10);
        assert!(lease.finish(8) && !lease.finish(8) && !lease.update(8, 10));
    }
}
