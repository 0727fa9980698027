//! The stores of this plane, down to their EBS volumes (`facts/tidb-operator.md` §4, `facts/topology.md` §4).

use super::{
    address::{self, CONTAINER, Candidate},
    api::{self, Call, value},
    claims::{self, Claim},
    cluster::{Cluster, Operator},
    meta::{self, Target},
    names,
    volume::volume_id,
};
use crate::ports::{LocalStore, LocalVolume, Mount, MountedOn, PortError};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{Api, Client};
use serde_json::Value;
use shared::{
    evidence::ClusterStore,
    ids::{StoreId, VolumeId},
    reason::Reason,
};
use std::collections::{BTreeMap, BTreeSet};

/// Claims read at once: a hundred stores with two volumes each take two seconds, and the API server sees eight clients.
const CLAIMS_AT_ONCE: usize = 8;

/// Namespaces looked into. A TiDB cluster has one per plane, and planes are a handful.
const MAX_NAMESPACES: usize = 64;

/// What both operators put on TiKV pods (`facts/topology.md` §1).
const TIKV_LABEL: &str = "app.kubernetes.io/component=tikv";
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// See `Topology::local_stores`. Order: by store id.
pub(crate) async fn local_stores(
    client: &Client,
    namespace: &str,
    name: &str,
    cluster: &Cluster,
    stores: &[ClusterStore],
) -> Result<Vec<LocalStore>, PortError> {
    let pods = pods_of_all(client, namespace, cluster, stores).await?;
    let candidates: Vec<Candidate> = pods.iter().map(Candidate::of).collect();
    let pairs = address::assign(stores, &candidates, cluster.domain.as_deref())?;
    let mut wanted = Vec::new();
    for (store, pod) in pairs {
        let candidate = &candidates[pod];
        if let Some(label) = candidate.store_label().filter(|label| *label != stores[store].store.0) {
            // Never corrected once set: the address is right, the label is old.
            tracing::warn!(store = stores[store].store.0, label, pod = candidate.name, "store id label differs");
        }
        let claims = claims::of(&pods[pod], cluster)?;
        let mounts = claims::mounted(&pods[pod]);
        wanted.push(Wanted { store: stores[store].store, pod: candidate, claims, mounts });
    }
    wanted.sort_by_key(|wanted| wanted.store);
    let found = read_claims(client, &wanted).await?;
    build(namespace, name, cluster.operator, &wanted, found)
}

/// What goes into the metadata as `kubernetes.crd_tidb_cluster`. Volumes that cannot be told are left out here: a plane must
/// be able to find PD, to let go, whatever its pods look like; `local_stores` refuses them.
pub(crate) async fn tidb_cluster(
    client: &Client,
    namespace: &str,
    name: &str,
    cluster: Cluster,
) -> Result<Value, PortError> {
    if cluster.operator == Operator::V1 {
        return Ok(cluster.object);
    }
    let pods = pods_of_cluster(client, namespace, name, &cluster).await?;
    let claims = pods.first().and_then(|pod| claims::of(pod, &cluster).ok()).unwrap_or_default();
    let volumes: Vec<(String, String)> =
        claims.into_iter().filter_map(|claim| Some((claim.role?, claim.mount_path))).collect();
    // Restore compares one encryption setting: said only where all groups say the same.
    let texts: BTreeSet<&str> = cluster.groups.values().filter_map(|group| group.config_text.as_deref()).collect();
    let config = if texts.len() == 1 { texts.first().copied() } else { None };
    Ok(meta::minimal_tidb_cluster(namespace, name, pods.len(), &volumes, config))
}

/// TiKV pods of this very cluster in its own namespace. Operators label them; without one, pods that nobody labelled are taken
/// for its own.
pub(crate) async fn pods_of_cluster(
    client: &Client,
    namespace: &str,
    name: &str,
    cluster: &Cluster,
) -> Result<Vec<Pod>, PortError> {
    let tikv = |pod: &Pod| {
        let spec = pod.spec.as_ref();
        spec.is_some_and(|spec| spec.containers.iter().any(|container| container.name == CONTAINER))
    };
    let named = |pod: &Pod| {
        let labels = pod.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(INSTANCE_LABEL)).is_some_and(|label| label == name)
    };
    let mut pods = pods(client, namespace, cluster).await?;
    pods.retain(tikv);
    if cluster.operator != Operator::None || pods.iter().any(named) {
        pods.retain(named);
    }
    Ok(pods)
}

/// Pods of the TiDB cluster's own namespace, and of every namespace that an address names: a plane's TiKV may be several
/// TidbClusters. A namespace of another plane either does not exist here or is not ours to read; both mean "not local",
/// and a store that is then missed is refused by the coordinator (`StoreInNoPlane`).
async fn pods_of_all(
    client: &Client,
    namespace: &str,
    cluster: &Cluster,
    stores: &[ClusterStore],
) -> Result<Vec<Pod>, PortError> {
    let mut found = pods(client, namespace, cluster).await?;
    let others = address::namespaces(stores);
    if others.len() > MAX_NAMESPACES {
        return Err(PortError::refused(
            Reason::TidbClusterNotFound,
            format!("TiKV addresses name {} namespaces; at most {MAX_NAMESPACES} are looked into", others.len()),
        ));
    }
    for other in others.iter().filter(|other| *other != namespace) {
        match pods(client, other, cluster).await {
            Ok(more) => found.extend(more),
            Err(PortError::Refused(refusal)) => {
                tracing::debug!(namespace = other, %refusal, "namespace not readable, taken for another plane's");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn pods(client: &Client, namespace: &str, cluster: &Cluster) -> Result<Vec<Pod>, PortError> {
    let labels = if cluster.operator == Operator::None { "" } else { TIKV_LABEL };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let call = Call::new("list", "pods", Some(namespace), "").named_by(names::TC_NAMESPACE);
    Ok(api::list(&call, &api, labels).await?.unwrap_or_default())
}

/// One store with its claims, still by name.
struct Wanted<'a> {
    store: StoreId,
    pod: &'a Candidate,
    claims: Vec<Claim>,
    /// Path → claim, or what else is there.
    mounts: Vec<(String, Result<String, String>)>,
}

impl Wanted<'_> {
    fn unsupported(&self, claim: &str, what: &str) -> PortError {
        let text = format!("pod {}/{} (store {}): PVC {claim} {what}", self.pod.namespace, self.pod.name, self.store);
        PortError::refused(Reason::VolumeUnsupported, text)
    }
}

/// A claim with what is behind it.
struct Bound {
    volume: VolumeId,
    pvc: Value,
    pv: Value,
}

/// Reads every claim of every store; the answers stand in the same order.
async fn read_claims(client: &Client, wanted: &[Wanted<'_>]) -> Result<Vec<Bound>, PortError> {
    let mut reads = Vec::new();
    for store in wanted {
        reads.extend(store.claims.iter().map(|claim| read_claim(client, store, &claim.claim)));
    }
    stream::iter(reads).buffered(CLAIMS_AT_ONCE).try_collect().await
}

async fn read_claim(client: &Client, store: &Wanted<'_>, claim: &str) -> Result<Bound, PortError> {
    let namespace = &store.pod.namespace;
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let call = Call::new("get", "persistentvolumeclaims", Some(namespace), claim);
    let pvc = call.optional(api.get(claim)).await?.ok_or_else(|| store.unsupported(claim, "does not exist"))?;
    let pv_name = pvc.spec.as_ref().and_then(|spec| spec.volume_name.clone()).unwrap_or_default();
    if pv_name.is_empty() {
        return Err(store.unsupported(claim, "is not bound to a PV"));
    }
    let api: Api<PersistentVolume> = Api::all(client.clone());
    let call = Call::new("get", "persistentvolumes", None, &pv_name);
    let pv = call.optional(api.get(&pv_name)).await?;
    let pv = pv.ok_or_else(|| store.unsupported(claim, &format!("names PV {pv_name}, which does not exist")))?;
    let pv = value(pv);
    let volume =
        volume_id(&pv).map_err(|what| store.unsupported(claim, &format!("leads to PV {pv_name}, which {what}")))?;
    Ok(Bound { volume, pvc: value(pvc), pv })
}

/// Puts all together, under the names that restore wants.
fn build(
    namespace: &str,
    name: &str,
    operator: Operator,
    wanted: &[Wanted<'_>],
    found: Vec<Bound>,
) -> Result<Vec<LocalStore>, PortError> {
    let ordinals = ordinals(name, operator, namespace, wanted);
    let mut found = found.into_iter();
    let mut owners: BTreeMap<VolumeId, StoreId> = BTreeMap::new();
    let mut stores = Vec::new();
    for (store, ordinal) in wanted.iter().zip(ordinals) {
        let mut volumes = Vec::new();
        for (claim, bound) in store.claims.iter().zip(&mut found) {
            if let Some(other) = owners.insert(bound.volume.clone(), store.store) {
                let what = format!("leads to volume {}, which store {other} has too", bound.volume);
                return Err(store.unsupported(&claim.claim, &what));
            }
            let role = claim.role.as_deref();
            let target = Target { namespace, name, ordinal, role, store: store.store, volume: &bound.volume };
            let pv_name = bound.pv["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let (pvc, pv) = meta::prepare(bound.pvc, bound.pv, target)
                .map_err(|what| store.unsupported(&claim.claim, &format!("leads to PV {pv_name}, which {what}")))?;
            let (mount_path, kind) = (claim.mount_path.clone(), claim.kind.clone());
            volumes.push(LocalVolume { volume: bound.volume, mount_path, kind, pvc, pv });
        }
        let mounts = mounts(store, &volumes);
        stores.push(LocalStore { store: store.store, pod: store.pod.name.clone(), volumes, mounts });
    }
    Ok(stores)
}

/// What is mounted for a TiKV; `volumes` stand in the order of its claims.
fn mounts(store: &Wanted<'_>, volumes: &[LocalVolume]) -> Vec<Mount> {
    let volume_of = |name: &str| {
        let at = store.claims.iter().position(|claim| claim.claim == name);
        at.and_then(|at| volumes.get(at)).map(|volume| MountedOn::Volume(volume.volume.clone()))
    };
    let on = |source: &Result<String, String>| match source {
        Ok(claim) => volume_of(claim)
            .unwrap_or_else(|| MountedOn::Other(format!("PersistentVolumeClaim {claim}, which is none of TiKV's"))),
        Err(other) => MountedOn::Other(other.clone()),
    };
    store.mounts.iter().map(|(path, source)| Mount { path: path.clone(), on: on(source) }).collect()
}

/// `None` for a store whose claims v1 named after this TidbCluster; numbers, above those in use, for all others.
fn ordinals(name: &str, operator: Operator, namespace: &str, wanted: &[Wanted<'_>]) -> Vec<Option<u64>> {
    let named = |store: &Wanted<'_>| {
        let own = operator == Operator::V1 && store.pod.namespace == namespace;
        let mut numbers = store.claims.iter().map(|claim| meta::ordinal_of(&claim.claim, name));
        let first = numbers.next().flatten().filter(|_| own)?;
        numbers.all(|number| number == Some(first)).then_some(first)
    };
    let used: Vec<Option<u64>> = wanted.iter().map(named).collect();
    let mut next = used.iter().flatten().max().map_or(0, |highest| highest.saturating_add(1));
    let number = |used: Option<u64>| match used {
        Some(_) => None,
        None => {
            let number = next;
            next = next.saturating_add(1);
            Some(number)
        }
    };
    used.into_iter().map(number).collect()
}
