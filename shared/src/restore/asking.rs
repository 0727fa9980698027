//! What a person asks for.

use super::money::Prices;
use crate::wire::VolumeWish;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The volumes.
    pub wish: VolumeWish,
    /// How long a drill keeps them.
    pub hours: u32,
    /// What things cost.
    pub prices: Prices,
}
