//! The API server of a plane as a restore writes to it ([`Placement`]).

use super::{World, engine::State};
use crate::models::restored::Plane;
use async_trait::async_trait;
use plane_actor::ports::{BoundVolume, Gate, Owner, Placement, PortError, Put, WaitingClaim};
use shared::reason::Reason;

pub(super) struct PlacementDouble {
    pub(super) world: World,
    pub(super) plane: String,
}

impl PlacementDouble {
    async fn enter<T: Send>(
        &self,
        owner: &Owner,
        call: &str,
        act: impl FnOnce(&mut Plane) -> T + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        let done = self.world.with(|state| {
            if state.faults.kube_down.contains(&self.plane) {
                return Err(PortError::Unavailable(format!("plane {}: API server does not answer", self.plane)));
            }
            let done = act(self.of(state, owner)?);
            Ok((done, state.loses(call)))
        });
        match done? {
            (_, true) => Err(PortError::Unavailable(format!("plane {}: {call}: no answer", self.plane))),
            (done, false) => Ok(done),
        }
    }

    async fn change<T: Send>(
        &self,
        owner: &Owner,
        call: &str,
        act: impl FnOnce(&mut Plane) -> T + Send,
    ) -> Result<T, PortError> {
        if self.world.with(|state| state.faults.no_rights.contains(&self.plane)) {
            let message = format!("plane {}: {call}: 403 forbidden", self.plane);
            return Err(PortError::refused(Reason::AccessDenied, message));
        }
        self.world.with(|state| state.counters.kube_writes += 1);
        self.enter(owner, call, act).await
    }

    fn of<'a>(&self, state: &'a mut State, owner: &Owner) -> Result<&'a mut Plane, PortError> {
        let target = state.target_named(&owner.namespace, &owner.cluster);
        target.and_then(|target| target.cluster.planes.get_mut(&self.plane)).ok_or_else(|| {
            let message = format!("plane {}: no TidbCluster {}/{}", self.plane, owner.namespace, owner.cluster);
            PortError::refused(Reason::TidbClusterNotFound, message)
        })
    }
}

#[async_trait]
impl Placement for PlacementDouble {
    async fn may_place(&self, owner: &Owner, _: &Gate) -> Result<Vec<String>, PortError> {
        self.enter(owner, "SelfSubjectAccessReview", |_| ()).await?;
        let denied = self.world.with(|state| state.faults.no_rights.contains(&self.plane));
        Ok(if denied { vec!["create persistentvolumes".to_owned(), "delete pods".to_owned()] } else { Vec::new() })
    }

    async fn gate(&self, owner: &Owner) -> Result<Result<Gate, String>, PortError> {
        self.enter(owner, "gate", |plane| plane.gate()).await
    }

    async fn claims(&self, owner: &Owner) -> Result<Vec<WaitingClaim>, PortError> {
        self.enter(owner, "claims", |plane| plane.claims()).await
    }

    async fn put(&self, owner: &Owner, volume: &BoundVolume) -> Result<Put, PortError> {
        let put = self.change(owner, "put", |plane| plane.put(&owner.restore, volume)).await?;
        put.map_err(|why| PortError::Unavailable(format!("plane {}: {why}", self.plane)))
    }

    async fn open_gate(&self, owner: &Owner, _: &Gate) -> Result<(), PortError> {
        self.change(owner, "open gate", Plane::open_gate).await
    }

    async fn take_away(&self, owner: &Owner) -> Result<Vec<String>, PortError> {
        self.change(owner, "take away", |plane| plane.take_away(&owner.restore)).await
    }

    async fn restart_stores(&self, owner: &Owner, before: i64) -> Result<u32, PortError> {
        self.change(owner, "delete pods", |_| ()).await?;
        self.world.with(|state| {
            let now = state.wall();
            let target = state.target_named(&owner.namespace, &owner.cluster);
            Ok(target.map_or(0, |target| target.cluster.restart_stores(&self.plane, before, now)))
        })
    }

    async fn end_recovery_mode(&self, owner: &Owner, _: &Gate) -> Result<(), PortError> {
        self.change(owner, "end recovery mode", Plane::end_recovery_mode).await
    }
}
