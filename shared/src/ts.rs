//! TiDB timestamps (`facts/pd-tikv.md` §6.1): `physical_ms << 18 | logical`. Above 2^53, so never through a float.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

/// A TiDB timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub u64);

/// Bits of the logical part.
pub const LOGICAL_BITS: u32 = 18;

impl Ts {
    /// "Not initialised", as TiKV reports it.
    pub const ZERO: Ts = Ts(0);
    /// What PD answers while the cluster is not initialised (`facts/pd-tikv.md` §3.6): no timestamp at all.
    pub const NOT_INITIALIZED: Ts = Ts(u64::MAX);

    /// From Unix milliseconds and a logical counter (its low 18 bits).
    pub const fn compose(physical_ms: u64, logical: u64) -> Ts {
        Ts((physical_ms << LOGICAL_BITS) | (logical & ((1 << LOGICAL_BITS) - 1)))
    }

    /// Unix milliseconds.
    pub const fn physical_ms(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }

    /// Neither 0 nor u64::MAX: a moment that can be backed up or compared.
    pub const fn is_real(self) -> bool {
        self.0 != 0 && self.0 != u64::MAX
    }

    /// How far this lies behind `now` (PD's clock, never ours).
    pub const fn age(self, now: Ts) -> Millis {
        Millis(now.physical_ms().saturating_sub(self.physical_ms()))
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Ts {
    type Err = ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Ts)
    }
}
