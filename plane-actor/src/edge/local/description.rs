//! Topology as an admin wrote it down: one YAML file, read anew at every call, so that a correction needs no restart.
//!
//! ```yaml
//! clusters:
//! - namespace: tidb            # tcNamespace of the VolumeBackup
//!   name: shop                 # tcName
//!   pd: ["https://10.0.0.1:2379"]
//!   tls: {ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}
//!   stores:
//!   - address: 10.0.0.11:20160 # exactly as PD lists it
//!     host: tikv-1
//!     volumes:
//!     - {volumeId: vol-0a11, mountPath: /data/tikv, kind: storage.data-dir, size: 500Gi}
//!     otherMounts: [/data/tikv/scratch]  # other file systems mounted inside those of volumes
//! secrets:
//! - {namespace: tidb, name: s3-secret, keys: {access_key: s3/access_key, secret_key: s3/secret_key}}
//! ```
//!
//! Every directory of TiKV must lie below the mountPath of one of its store's volumes, and not below one of otherMounts:
//! nobody can look from here what is mounted there, so this file is the host's word for it.
//!
//! Relative paths start at the file's own folder. PVCs and PVs are made up in the form that v1's restore tooling accepts.

use crate::{
    edge::kube::meta::{self, Target},
    ports::{
        ClusterTls, LocalStore, LocalVolume, Located, Mount, MountedOn, PdEndpoint, PortError, Topology, WebIdentity,
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use shared::{
    evidence::ClusterStore,
    ids::{StoreId, VolumeId},
    reason::Reason,
};
use shell::yaml;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A description of a hundred stores is 30 KB, a secret 5 KB; what is larger is another file.
const MAX_FILE: u64 = 4 << 20;

/// The kind of the volume with TiKV's data.
const DATA_KIND: &str = "storage.data-dir";

/// Written into claims whose size the description does not say. Kubernetes binds by it; EBS volumes have their own size.
const NOMINAL_SIZE: &str = "1Gi";

/// [`Topology`] by a file.
#[derive(Clone, Debug)]
pub struct LocalTopology {
    file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Description {
    #[serde(default)]
    clusters: Vec<ClusterEntry>,
    #[serde(default)]
    secrets: Vec<SecretEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClusterEntry {
    namespace: String,
    name: String,
    pd: Vec<String>,
    #[serde(default)]
    tls: Option<TlsFiles>,
    #[serde(default)]
    pd_replicas: u32,
    #[serde(default)]
    tidb_replicas: u32,
    stores: Vec<StoreEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TlsFiles {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoreEntry {
    address: String,
    #[serde(default)]
    host: String,
    volumes: Vec<VolumeEntry>,
    /// Mount points of anything else at or below a volume's.
    #[serde(default)]
    other_mounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeEntry {
    volume_id: String,
    mount_path: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    size: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretEntry {
    namespace: String,
    name: String,
    keys: BTreeMap<String, PathBuf>,
}

impl LocalTopology {
    /// The file is read at every call of a port, and checked once by [`LocalTopology::check`].
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    /// Reads the file once, for a start that fails early.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub async fn check(&self) -> Result<(), PortError> {
        self.description().await.map(|_| ())
    }

    async fn description(&self) -> Result<Description, PortError> {
        let refused = |what: String| {
            PortError::refused(Reason::TidbClusterNotFound, format!("topology file {}: {what}", self.file.display()))
        };
        let bytes = read(&self.file).await.map_err(&refused)?;
        let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8".to_owned()))?;
        let description: Description = yaml::read(&text).map_err(|error| refused(yaml::told(&error)))?;
        for store in description.clusters.iter().flat_map(|cluster| &cluster.stores) {
            if store.volumes.is_empty() {
                return Err(refused(format!("store {} has no volumes", store.address)));
            }
            if !store.volumes.iter().all(|volume| volume.volume_id.starts_with("vol-")) {
                return Err(refused(format!("store {}: a volumeId does not begin with vol-", store.address)));
            }
            if store.volumes.iter().filter(|volume| volume.kind == DATA_KIND).count() != 1 {
                return Err(refused(format!(
                    "store {}: exactly one volume must be of kind {DATA_KIND}",
                    store.address
                )));
            }
        }
        Ok(description)
    }

    async fn cluster(&self, namespace: &str, name: &str) -> Result<ClusterEntry, PortError> {
        let clusters = self.description().await?.clusters;
        let found = clusters.into_iter().find(|entry| entry.namespace == namespace && entry.name == name);
        found.ok_or_else(|| {
            PortError::refused(
                Reason::TidbClusterNotFound,
                format!("topology file {} has no cluster {namespace}/{name}", self.file.display()),
            )
        })
    }

    async fn credential(&self, path: &Path) -> Result<Vec<u8>, PortError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let path = folder.join(path);
        read(&path)
            .await
            .map_err(|what| PortError::refused(Reason::CredentialsUnreadable, format!("{}: {what}", path.display())))
    }
}

#[async_trait]
impl Topology for LocalTopology {
    async fn locate(&self, namespace: &str, name: &str) -> Result<Located, PortError> {
        let cluster = self.cluster(namespace, name).await?;
        if cluster.pd.is_empty() {
            return Err(PortError::refused(
                Reason::TidbClusterNotFound,
                format!("topology file {}: cluster {namespace}/{name} names no pd", self.file.display()),
            ));
        }
        let tls = match &cluster.tls {
            None => None,
            Some(files) => Some(ClusterTls {
                ca: self.credential(&files.ca).await?,
                cert: self.credential(&files.cert).await?,
                key: self.credential(&files.key).await?,
            }),
        };
        let volumes = cluster.stores.first().map(extra_volumes).unwrap_or_default();
        Ok(Located {
            tidb_cluster: meta::minimal_tidb_cluster(namespace, name, cluster.stores.len(), &volumes, None),
            endpoint: PdEndpoint { urls: cluster.pd, tls },
            pd_replicas: cluster.pd_replicas,
            tidb_replicas: cluster.tidb_replicas,
        })
    }

    async fn local_stores(
        &self,
        namespace: &str,
        name: &str,
        stores: &[ClusterStore],
    ) -> Result<Vec<LocalStore>, PortError> {
        let cluster = self.cluster(namespace, name).await?;
        let mut known: Vec<&ClusterStore> = stores.iter().collect();
        known.sort_by_key(|store| store.store);
        let mut found = Vec::new();
        for store in known {
            let Some(entry) = cluster.stores.iter().find(|entry| entry.address == store.address) else { continue };
            let ordinal = u64::try_from(found.len()).unwrap_or(u64::MAX);
            let volumes = entry.volumes.iter().zip(roles(entry));
            let volumes = volumes
                .map(|(volume, role)| describe(namespace, name, ordinal, store.store, volume, role.as_deref()))
                .collect::<Result<Vec<_>, PortError>>()?;
            let pod = if entry.host.is_empty() { entry.address.clone() } else { entry.host.clone() };
            found.push(LocalStore { store: store.store, pod, volumes, mounts: mounts(entry) });
        }
        Ok(found)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>, PortError> {
        let secrets = self.description().await?.secrets;
        let entry = secrets.into_iter().find(|entry| entry.namespace == namespace && entry.name == name);
        let entry = entry.ok_or_else(|| {
            PortError::refused(
                Reason::CredentialsUnreadable,
                format!("topology file {} has no secret {namespace}/{name}", self.file.display()),
            )
        })?;
        let mut keys = BTreeMap::new();
        for (key, path) in entry.keys {
            // An editor ends a file with a newline; no key of AWS has one.
            let bytes = self.credential(&path).await?;
            keys.insert(key, bytes.trim_ascii_end().to_vec());
        }
        Ok(keys)
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<WebIdentity, PortError> {
        Err(PortError::refused(
            Reason::CredentialsUnreadable,
            format!(
                "ServiceAccount {namespace}/{name}: this plane actor runs without Kubernetes; use s3.secretName, the \
                 annotation iam.amazonaws.com/role, or the host's own role"
            ),
        ))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| format!("cannot be read ({error})"))?;
    if metadata.len() > MAX_FILE {
        return Err(format!("is {} bytes long; at most {MAX_FILE} are read", metadata.len()));
    }
    tokio::fs::read(path).await.map_err(|error| format!("cannot be read ({error})"))
}

fn mounts(store: &StoreEntry) -> Vec<Mount> {
    let on_volume = |entry: &VolumeEntry| Mount {
        path: entry.mount_path.clone(),
        on: MountedOn::Volume(VolumeId::new(&entry.volume_id)),
    };
    let on_other = |path: &String| Mount { path: path.clone(), on: MountedOn::Other("one of otherMounts".to_owned()) };
    store.volumes.iter().map(on_volume).chain(store.other_mounts.iter().map(on_other)).collect()
}

/// `None` for the data volume; the others are named after their place, because a mount path is no object name.
fn roles(store: &StoreEntry) -> Vec<Option<String>> {
    let mut next = 0;
    let name = |volume: &VolumeEntry| {
        (volume.kind != DATA_KIND).then(|| {
            next += 1;
            format!("volume{next}")
        })
    };
    store.volumes.iter().map(name).collect()
}

fn extra_volumes(store: &StoreEntry) -> Vec<(String, String)> {
    let named = roles(store).into_iter().zip(&store.volumes);
    named.filter_map(|(role, volume)| Some((role?, volume.mount_path.clone()))).collect()
}

fn describe(
    namespace: &str,
    name: &str,
    ordinal: u64,
    store: StoreId,
    entry: &VolumeEntry,
    role: Option<&str>,
) -> Result<LocalVolume, PortError> {
    let volume = VolumeId::new(&entry.volume_id);
    let claim = meta::claim_name(role, name, ordinal);
    let pv_name = format!("isochron-{volume}");
    let size = entry.size.as_deref().unwrap_or(NOMINAL_SIZE);
    let pvc = json!({
        "metadata": {"name": claim, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
                 "volumeMode": "Filesystem", "volumeName": pv_name},
    });
    let pv = json!({
        "metadata": {"name": pv_name},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size},
                 "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
                 "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": volume},
                 "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
    });
    let target = Target { namespace, name, ordinal: Some(ordinal), role, store, volume: &volume };
    let (pvc, pv) = meta::prepare(pvc, pv, target)
        .map_err(|what| PortError::refused(Reason::Internal, format!("PV {pv_name} {what}")))?;
    Ok(LocalVolume { volume, mount_path: entry.mount_path.clone(), kind: entry.kind.clone(), pvc, pv })
}
