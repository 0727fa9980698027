//! How planes divide what one account may call.

use serde::{Deserialize, Serialize};

/// A part of the calls that planes of one account and Region make at a time (`facts/aws.md` A7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallShare {
    /// Calls of this plane.
    pub calls: u32,
    /// Of how many.
    pub of: u32,
}
