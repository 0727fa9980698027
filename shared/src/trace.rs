//! By which id one attempt is followed through the logs of every program. It follows from backup and number alone, so that
//! coordinator, planes, and each of them after a restart say the same without asking. In the form of W3C Trace Context.

use crate::ids::Attempt;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::{fmt, hash::Hasher};

/// 128 bits, never 0; written as 32 digits in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// Of an attempt. Never changes: logs of two versions are read together.
    #[must_use]
    pub fn of(attempt: &Attempt) -> Self {
        let mut hasher = SipHasher24::new();
        hasher.write(attempt.backup.as_str().as_bytes());
        hasher.write(&[0]);
        hasher.write(&attempt.number.to_le_bytes());
        // No trace is called 0.
        Self(hasher.finish128().as_u128().max(1))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BackupUid;

    fn of(backup: &str, number: u32) -> String {
        TraceId::of(&Attempt { backup: BackupUid::new(backup), number }).to_string()
    }

    #[test]
    fn every_attempt_has_its_own_and_it_never_changes() {
        assert_eq!(of("0b2e8f4a-6f0e-4f2b-9a7e-0d8f3a1c5b6d", 1), "31f44b6dbf529f869a87ab5bd405fd9f");
        let others = [of("u1", 1), of("u1", 2), of("u11", 1), of("u", 11)];
        for (index, one) in others.iter().enumerate() {
            assert!(one.len() == 32 && !others[..index].contains(one), "{others:?}");
        }
    }
}
