//! This plane's own API server: topology (read only), the plane's one small object, and what a restore writes.
//!
//! PD's stores give addresses, addresses give pods, pods give claims, claims give volumes; so nothing here depends on the
//! operator's version. The v1 TidbCluster is read where it exists, because restore tooling wants it in the metadata
//! (`facts/topology.md`). Pure rules are in files of their own, each with its tables; only `api`, `find`, `ledger`,
//! `manifests`, `placement`, `secrets` and `stores` talk to the API server.

mod address;
mod api;
mod claims;
mod cluster;
mod config;
mod find;
mod ledger;
mod manifests;
pub(crate) mod meta;
mod names;
pub(crate) mod placement;
mod secrets;
mod settings;
mod stores;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub(crate) mod v1;
pub(crate) mod v2;
mod volume;

#[cfg(test)]
pub(crate) mod tests;

pub use ledger::KubeLedger;
pub use placement::KubePlacement;
pub use settings::{PdOverride, TopologyConfig};

use crate::ports::{LocalStore, Located, Manifests, PdEndpoint, PortError, Topology, WebIdentity};
use async_trait::async_trait;
use kube::Client;
use shared::{evidence::ClusterStore, reason::Reason};
use std::collections::BTreeMap;

/// [`Topology`] by the API server of this plane.
#[derive(Clone)]
pub struct KubeTopology {
    client: Client,
    config: TopologyConfig,
}

impl KubeTopology {
    /// Nothing is asked before the first call of a port.
    pub fn new(client: Client, config: TopologyConfig) -> Self {
        Self { client, config }
    }

    fn pd_override(&self, namespace: &str, name: &str) -> Option<&PdOverride> {
        self.config.pd.iter().find(|entry| entry.namespace == namespace && entry.name == name)
    }
}

#[async_trait]
impl Topology for KubeTopology {
    async fn locate(&self, namespace: &str, name: &str) -> Result<Located, PortError> {
        names::check_cluster(namespace, name)?;
        let cluster = find::cluster(&self.client, &self.config, namespace, name).await?;
        let entry = self.pd_override(namespace, name);
        let urls = match entry {
            Some(entry) if !entry.urls.is_empty() => entry.urls.clone(),
            _ => cluster.urls.clone(),
        };
        if urls.is_empty() {
            return Err(PortError::refused(
                Reason::TidbClusterNotFound,
                format!("{}; name its PD under `pd` in the plane's configuration", cluster.no_pd(namespace, name)),
            ));
        }
        let secrets = match entry.and_then(|entry| entry.tls_secret.as_ref()) {
            Some(secret) => Some(secrets::TlsSecrets { ca: secret.clone(), pair: secret.clone() }),
            None => cluster.tls.clone(),
        };
        let tls = match secrets {
            Some(secrets) => Some(secrets::cluster_tls(&self.client, namespace, &secrets).await?),
            None => None,
        };
        let (pd_replicas, tidb_replicas) = (cluster.pd_replicas, cluster.tidb_replicas);
        let tidb_cluster = stores::tidb_cluster(&self.client, namespace, name, cluster).await?;
        Ok(Located { endpoint: PdEndpoint { urls, tls }, tidb_cluster, pd_replicas, tidb_replicas })
    }

    async fn local_stores(
        &self,
        namespace: &str,
        name: &str,
        stores: &[ClusterStore],
    ) -> Result<Vec<LocalStore>, PortError> {
        let cluster = find::cluster(&self.client, &self.config, namespace, name).await?;
        stores::local_stores(&self.client, namespace, name, &cluster, stores).await
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>, PortError> {
        names::check_namespace(namespace)?;
        names::check(names::SECRET, name)?;
        secrets::secret(&self.client, namespace, name, names::SECRET).await
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<WebIdentity, PortError> {
        names::check_namespace(namespace)?;
        names::check(names::SERVICE_ACCOUNT, name)?;
        secrets::service_account(&self.client, namespace, name).await
    }

    async fn manifests(&self, namespace: &str, name: &str) -> Manifests {
        manifests::manifests(&self.client, namespace, name).await
    }
}
