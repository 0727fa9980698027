//! A plane without Kubernetes has no PersistentVolumes: its volumes are attached by whoever runs its hosts.

use crate::ports::{BoundVolume, Gate, Owner, Placement, PortError, Put, WaitingClaim};
use async_trait::async_trait;
use shared::reason::Reason;

/// [`Placement`] where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPlacement;

fn refused<T>() -> Result<T, PortError> {
    let text = "this plane runs without Kubernetes (standalone in its configuration), so it cannot give volumes to pods; restore into \
                a plane with Kubernetes, or by hand";
    Err(PortError::refused(Reason::SpecInvalid, text))
}

#[async_trait]
impl Placement for NoPlacement {
    async fn may_place(&self, _: &Owner, _: &Gate) -> Result<Vec<String>, PortError> {
        refused()
    }

    async fn gate(&self, _: &Owner) -> Result<Result<Gate, String>, PortError> {
        refused()
    }

    async fn claims(&self, _: &Owner) -> Result<Vec<WaitingClaim>, PortError> {
        refused()
    }

    async fn put(&self, _: &Owner, _: &BoundVolume) -> Result<Put, PortError> {
        refused()
    }

    async fn open_gate(&self, _: &Owner, _: &Gate) -> Result<(), PortError> {
        refused()
    }

    async fn take_away(&self, _: &Owner) -> Result<Vec<String>, PortError> {
        refused()
    }

    async fn restart_stores(&self, _: &Owner, _: i64) -> Result<u32, PortError> {
        refused()
    }

    async fn end_recovery_mode(&self, _: &Owner, _: &Gate) -> Result<(), PortError> {
        refused()
    }
}
