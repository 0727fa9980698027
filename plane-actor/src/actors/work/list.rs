//! A store's list of led regions, read into sums.

use super::retry::{refusal_of, waits};
use crate::ports::{LedRegion, PortError, Tikv};
use shared::{
    ids::StoreId,
    reason::{Reason, Refusal},
};

/// What becomes of a list.
pub(super) trait Fold: Send {
    /// It begins; what an earlier one, not read to its end, has left counts for nothing.
    fn begin(&mut self);
    /// A region of it.
    fn take(&mut self, led: LedRegion<'_>);
}

/// Reads it, and anew while its failure may pass by itself. Each time wakes every peer of the store.
pub(super) async fn list(store: StoreId, tikv: &dyn Tikv, fold: &mut dyn Fold) -> Result<(), Refusal> {
    let mut waits = waits();
    loop {
        fold.begin();
        let error = match tikv.led_regions(&mut |led| fold.take(led)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match (&error, waits.next()) {
            (PortError::Unavailable(_), Some(wait)) => {
                tracing::debug!(?error, %store, "trying again");
                tokio::time::sleep(wait).await;
            }
            _ => {
                let refusal = refusal_of(error, Reason::StoreUnavailable);
                return Err(Refusal::new(refusal.reason, format!("store {store}: {}", refusal.message)));
            }
        }
    }
}
