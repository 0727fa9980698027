//! How the imports of one TiKV process are suspended (`facts/pd-tikv.md` §1.13): one end for all callers, which each call
//! replaces, and may so bring nearer.

/// Six hours; TiKV refuses more.
const LONGEST_SECS: u64 = 21_600;

/// When imports go on by themselves, by the host's clock in milliseconds; 0: they are not suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    end: u64,
}

/// Nobody may suspend them for so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub u64);

impl Imports {
    /// Is an ingest answered ServerIsBusy at `now`?
    pub fn suspended(self, now: u64) -> bool {
        self.end > now
    }

    /// Answers `already_suspended`.
    ///
    /// # Errors
    /// More than six hours; nothing is changed.
    pub fn suspend(&mut self, now: u64, seconds: u64) -> Result<bool, TooLong> {
        if seconds > LONGEST_SECS {
            return Err(TooLong(LONGEST_SECS));
        }
        let already = self.suspended(now);
        self.end = now + seconds * 1_000;
        Ok(already)
    }

    /// Lets them go on; answers `already_suspended`.
    pub fn resume(&mut self, now: u64) -> bool {
        let already = self.suspended(now);
        self.end = 0;
        already
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_call_counts_and_six_hours_are_the_most() {
        let mut imports = Imports::default();
        assert_eq!(imports.suspend(5_000, 10), Ok(false));
        assert!(imports.suspended(14_999) && !imports.suspended(15_000));
        assert_eq!(imports.suspend(6_000, 1), Ok(true));
        assert!(!imports.suspended(7_000), "a shorter one brings the end nearer");
        assert_eq!(imports.suspend(7_000, LONGEST_SECS + 1), Err(TooLong(LONGEST_SECS)));
        assert_eq!(imports.suspend(7_000, 10), Ok(false));
        assert!(imports.resume(8_000) && !imports.resume(8_000));
    }
}
