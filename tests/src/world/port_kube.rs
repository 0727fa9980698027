//! The API server of a plane behind [`Topology`], and the plane's own small object behind [`PlaneLedger`].

use super::{
    World,
    engine::State,
    k8s,
    port_connect::{ACCESS_KEY, SECRET_KEY},
};
use async_trait::async_trait;
use plane_actor::ports::{
    LocalStore, LocalVolume, Located, Mount, MountedOn, PdEndpoint, PlaneLedger, PortError, Topology, WebIdentity,
};
use shared::{evidence::ClusterStore, member::MemberLedger, reason::Reason};
use std::collections::BTreeMap;

pub(crate) struct KubeDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

impl KubeDouble {
    /// The plane's TidbCluster, if it is the one that is asked for.
    async fn find(&self, namespace: &str, name: &str) -> Result<(), PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        let known = self.world.with(|state| {
            let hidden = state.faults.no_tidb_cluster.contains(&self.plane);
            let kept = state.config.planes.iter().find(|kept| kept.name == self.plane);
            kept.is_some_and(|kept| kept.tc_name == name && kept.tc_namespace == namespace && !hidden)
        });
        if known {
            return Ok(());
        }
        let message = format!("plane {}: no TidbCluster {namespace}/{name}", self.plane);
        Err(PortError::refused(Reason::TidbClusterNotFound, message))
    }
}

#[async_trait]
impl Topology for KubeDouble {
    async fn locate(&self, namespace: &str, name: &str) -> Result<Located, PortError> {
        let target = self.world.with(|state| {
            let target = state.target_named(namespace, name)?;
            Some((target.object(&self.plane)?, target.spec.url()))
        });
        if let Some((tidb_cluster, url)) = target {
            let endpoint = PdEndpoint { urls: vec![url], tls: None };
            return Ok(Located { endpoint, tidb_cluster, pd_replicas: 1, tidb_replicas: 0 });
        }
        self.find(namespace, name).await?;
        let tidb_cluster = self.world.with(|state| k8s::tidb_cluster(state, &self.plane));
        Ok(Located {
            endpoint: PdEndpoint { urls: vec![format!("http://{name}-pd.{namespace}:2379")], tls: None },
            tidb_cluster,
            pd_replicas: 1,
            tidb_replicas: 1,
        })
    }

    async fn local_stores(
        &self,
        namespace: &str,
        name: &str,
        stores: &[ClusterStore],
    ) -> Result<Vec<LocalStore>, PortError> {
        let of_target = |state: &mut State| Some(state.target_named(namespace, name)?.local(&self.plane, stores));
        if let Some(local) = self.world.with(of_target) {
            return Ok(local);
        }
        self.find(namespace, name).await?;
        self.world.with(|state| {
            let mut local = Vec::new();
            for listed in stores {
                let Some(id) = state.store_at(&listed.address) else { continue };
                let Some(held) = state.stores.get(&id).filter(|held| held.plane == self.plane) else { continue };
                let pod = format!("{name}-tikv-{}", held.ordinal);
                if state.faults.not_ebs.contains(&id) {
                    let message = format!("pod {namespace}/{pod}: its PV has the driver efs.csi.aws.com");
                    return Err(PortError::refused(Reason::VolumeUnsupported, message));
                }
                let volumes = held.volumes().into_iter().map(|(kind, volume)| {
                    let (pvc, pv) = k8s::claim(state, &self.plane, id, held, volume, kind);
                    LocalVolume {
                        volume: volume.clone(),
                        mount_path: kind.mount_path().to_owned(),
                        kind: kind.key().to_owned(),
                        pvc,
                        pv,
                    }
                });
                let volumes: Vec<LocalVolume> = volumes.collect();
                let mut mounts: Vec<Mount> = volumes.iter().map(at_home).collect();
                let on = MountedOn::Other("hostPath volume nvme".to_owned());
                mounts.push(Mount { path: k8s::LOCAL_DISK.to_owned(), on });
                local.push(LocalStore { store: listed.store, pod, volumes, mounts });
            }
            Ok(local)
        })
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>, PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        if self.world.with(|state| state.faults.no_secret.contains(&self.plane)) {
            let message = format!("plane {}: no secret {namespace}/{name}", self.plane);
            return Err(PortError::refused(Reason::CredentialsUnreadable, message));
        }
        Ok([("access_key", ACCESS_KEY), ("secret_key", SECRET_KEY)]
            .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
            .into())
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<WebIdentity, PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        if self.world.with(|state| state.faults.no_secret.contains(&self.plane)) {
            let message = format!("plane {}: no ServiceAccount {namespace}/{name}", self.plane);
            return Err(PortError::refused(Reason::CredentialsUnreadable, message));
        }
        let account = self.world.with(|state| state.home_of(&self.plane).account);
        Ok(WebIdentity { role: format!("arn:aws:iam::{account}:role/{name}"), token: "token".to_owned() })
    }
}

fn at_home(volume: &LocalVolume) -> Mount {
    Mount { path: volume.mount_path.clone(), on: MountedOn::Volume(volume.volume.clone()) }
}

pub(crate) struct LedgerDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

#[async_trait]
impl PlaneLedger for LedgerDouble {
    async fn load(&self) -> Result<MemberLedger, PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        Ok(self.world.with(|state| state.ledgers.get(&self.plane).cloned().unwrap_or_default()))
    }

    async fn save(&self, ledger: &MemberLedger) -> Result<(), PortError> {
        self.world.pause(self.world.with(|state| state.config.kube)).await;
        self.world.with(|state| {
            if state.faults.ledger_down.contains(&self.plane) {
                return Err(PortError::Unavailable(format!("plane {}: API server does not answer", self.plane)));
            }
            state.counters.ledger_saves += 1;
            state.ledgers.insert(self.plane.clone(), ledger.clone());
            Ok(())
        })
    }
}
