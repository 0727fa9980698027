//! Two times that never mix: [`Instant`] (monotonic, drives every timer) and [`Timestamp`] (wall clock, for people,
//! names, schedules and retention only). There is no arithmetic between them.

use serde::{Deserialize, Serialize};
use std::{fmt, ops::Add};

/// Milliseconds of a monotonic clock whose zero only its owner knows. Never stored, never sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(n * 1000)
    }
    /// A quarter: the renewal period of every lease (`design.md` §4).
    pub const fn quarter(self) -> Self {
        Self(self.0 / 4)
    }
    /// Whole seconds, rounded up: what a TTL given in seconds must at least be.
    pub const fn as_secs_up(self) -> u64 {
        self.0.div_ceil(1000)
    }
    /// Sum that stops at the largest value.
    pub const fn plus(self, other: Millis) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// For messages: whole seconds as such, `90 s`, anything else as `1500 ms`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{} s", self.0 / 1000),
            _ => write!(f, "{} ms", self.0),
        }
    }
}

impl Instant {
    /// Time since `earlier`; zero if that is later (clocks may only make us more careful).
    pub const fn since(self, earlier: Instant) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for Instant {
    type Output = Instant;
    fn add(self, length: Millis) -> Instant {
        Instant(self.0.saturating_add(length.0))
    }
}

/// Wall clock, milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time since an earlier moment; none if it is a later one, as after a clock was set back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Millis {
        Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Timestamp;
    fn add(self, length: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(length.0).unwrap_or(i64::MAX)))
    }
}

/// What a machine is told of time at each step: one reading of each clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now {
    /// Monotonic; drives timers.
    pub at: Instant,
    /// Wall clock; goes into records and status only.
    pub wall: Timestamp,
}
