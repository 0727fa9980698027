//! A store's list of what it leads, kept whole: tests have few regions, and look at each.

use plane_actor::ports::{LedRegion, PortError, RegionAt, Tikv};

/// A region as its leader says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which, and at which epoch.
    pub at: RegionAt,
    /// Empty: −∞.
    pub start: Vec<u8>,
    /// Empty: +∞.
    pub end: Vec<u8>,
    /// Conf change, merge or split not yet applied.
    pub pending: bool,
}

impl Listed {
    /// As it is read.
    #[must_use]
    pub fn region(&self) -> LedRegion<'_> {
        LedRegion { at: self.at, start: &self.start, end: &self.end, pending: self.pending }
    }
}

/// Asks a store.
///
/// # Errors
/// As the port.
pub async fn listed(tikv: &dyn Tikv) -> Result<Vec<Listed>, PortError> {
    let mut all = Vec::new();
    tikv.led_regions(&mut |led| {
        let (start, end) = (led.start.to_vec(), led.end.to_vec());
        all.push(Listed { at: led.at, start, end, pending: led.pending });
    })
    .await?;
    Ok(all)
}
