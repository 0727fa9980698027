//! Why what lies on the volumes is no whole cluster.

use crate::ids::{RegionId, StoreId};
use std::fmt;

/// Bytes of a key that are shown.
const SHOWN: usize = 24;

/// One reason. Keys are as encoded; `None`: an end of the key space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No region has these keys.
    Hole {
        /// The first of them.
        from: Option<Vec<u8>>,
        /// The first behind them.
        to: Option<Vec<u8>>,
    },
    /// Its range has no key.
    Backward {
        /// Whose.
        region: RegionId,
    },
    /// The same store has told of it twice.
    Twice {
        /// Which region.
        region: RegionId,
        /// Which store.
        store: StoreId,
    },
    /// Every copy that might lead was tried, and none was elected.
    Leaderless {
        /// Which region.
        region: RegionId,
        /// How many copies there are.
        copies: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole { from, to } => write!(f, "no region holds the keys from {} to {}", Shown(from), Shown(to)),
            Self::Backward { region } => write!(f, "region {region} ends where it begins, or before"),
            Self::Twice { region, store } => write!(f, "store {store} has told of region {region} twice"),
            Self::Leaderless { region, copies } => {
                write!(f, "none of the {copies} copies of region {region} was elected")
            }
        }
    }
}

struct Shown<'a>(&'a Option<Vec<u8>>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(key) = self.0 else { return f.write_str("the end of the key space") };
        for byte in key.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        if key.len() > SHOWN { f.write_str("…") } else { Ok(()) }
    }
}
