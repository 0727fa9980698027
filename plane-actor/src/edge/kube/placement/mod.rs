//! What a restore writes into this plane's API server: PersistentVolumes, claims, two words on a TidbCluster; and which pods it
//! deletes. Everything that is written bears the restore's label, and only what bears it is taken away.

mod gate;
mod own;
mod rights;
mod taking;
mod waiting;
mod writing;

use super::{TopologyConfig, find, names};
use crate::ports::{BoundVolume, Gate, Owner, Placement, PortError, Put, WaitingClaim};
use async_trait::async_trait;
use kube::Client;

#[cfg(test)]
pub(crate) use rights::{CLUSTER_WIDE, IN_NAMESPACE};

/// [`Placement`] by the API server of this plane.
#[derive(Clone)]
pub struct KubePlacement {
    client: Client,
    config: TopologyConfig,
}

impl KubePlacement {
    /// Nothing is asked before the first call of a port.
    pub fn new(client: Client, config: TopologyConfig) -> Self {
        Self { client, config }
    }
}

#[async_trait]
impl Placement for KubePlacement {
    async fn may_place(&self, owner: &Owner, gate: &Gate) -> Result<Vec<String>, PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        rights::missing(&self.client, owner, gate).await
    }

    async fn gate(&self, owner: &Owner) -> Result<Result<Gate, String>, PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        let cluster = find::cluster(&self.client, &self.config, &owner.namespace, &owner.cluster).await?;
        if let Some(told) = gate::of_tidb_cluster(owner, &cluster) {
            return Ok(told);
        }
        let claims = waiting::claims(&self.client, owner, &cluster).await?;
        gate::of_claims(&self.client, owner, &claims).await
    }

    async fn claims(&self, owner: &Owner) -> Result<Vec<WaitingClaim>, PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        let cluster = find::cluster(&self.client, &self.config, &owner.namespace, &owner.cluster).await?;
        waiting::claims(&self.client, owner, &cluster).await
    }

    async fn put(&self, owner: &Owner, volume: &BoundVolume) -> Result<Put, PortError> {
        own::selector(owner)?;
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        writing::put(&self.client, owner, volume).await
    }

    async fn open_gate(&self, owner: &Owner, gate: &Gate) -> Result<(), PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        match gate {
            Gate::RecoveryMode => gate::open(&self.client, owner).await,
            // Each PersistentVolume opened its claim's.
            Gate::StaticClass(_) => Ok(()),
        }
    }

    async fn take_away(&self, owner: &Owner) -> Result<Vec<String>, PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        let volumes = own::volumes(&self.client, owner).await?;
        taking::take_away(&self.client, owner, &volumes).await
    }

    async fn restart_stores(&self, owner: &Owner, before: i64) -> Result<u32, PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        let claims = own::claims_of(owner, &own::volumes(&self.client, owner).await?);
        taking::restart(&self.client, owner, &claims, before).await
    }

    async fn end_recovery_mode(&self, owner: &Owner, gate: &Gate) -> Result<(), PortError> {
        names::check_cluster(&owner.namespace, &owner.cluster)?;
        match gate {
            Gate::RecoveryMode => gate::end(&self.client, owner).await,
            Gate::StaticClass(_) => Ok(()),
        }
    }
}
