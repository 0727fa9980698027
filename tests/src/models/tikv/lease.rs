//! The prepare lease of one TiKV process, in whole seconds, exactly as `facts/pd-tikv.md` §2.1 tabulates it. It has no
//! owner: any client extends it, any client's Finish ends it.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// 0: none.
    before: u64,
}

impl Lease {
    /// Are admin commands rejected in second `now`?
    pub fn rejects(self, now: u64) -> bool {
        self.before != 0 && self.before >= now
    }

    /// A probe ends with its second; this one does not.
    pub fn outlasts(self, now: u64) -> bool {
        self.before > now
    }

    /// Extends, never shortens; answers `last_lease_is_valid`, the state just before.
    pub fn update(&mut self, now: u64, seconds: u64) -> bool {
        let valid = self.outlasts(now);
        self.before = self.before.max(now.saturating_add(seconds));
        valid
    }

    /// Ends it for everybody; answers whether it was live.
    pub fn finish(&mut self, now: u64) -> bool {
        let live = self.rejects(now);
        self.before = 0;
        live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_errs_on_the_safe_side() {
        let mut lease = Lease::default();
        assert!(!lease.update(100, 10), "first reply on a free store");
        assert!(lease.update(109, 10), "one second before its end");
        assert!(lease.rejects(119));
        assert!(!lease.rejects(120));
        assert!(!lease.update(119, 10), "still rejecting, and yet reported as a gap");
        assert!(lease.update(120, 1), "a shorter value changes nothing");
        assert!(lease.rejects(129));
        assert!(lease.finish(129));
        assert!(!lease.finish(129));
    }

    #[test]
    fn a_probe_holds_for_the_rest_of_the_second() {
        let mut lease = Lease::default();
        assert!(!lease.update(7, 0));
        assert!(lease.rejects(7));
        assert!(!lease.rejects(8));
    }
}
