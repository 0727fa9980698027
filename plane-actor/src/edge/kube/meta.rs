//! PVCs, PVs and the TidbCluster as they go into clustermeta and backupmeta: in the form that v1's restore tooling accepts,
//! whoever ran the TiKV pods (`facts/topology.md` §2, `facts/tidb-operator.md` §5.5). Pure.

use serde_json::{Map, Value, json};
use shared::ids::{StoreId, VolumeId};

/// The claim's and the volume's four labels; instance, the fourth, is the TidbCluster's name.
const LABELS: [(&str, &str); 3] = [
    ("app.kubernetes.io/name", "tidb-cluster"),
    ("app.kubernetes.io/managed-by", "tidb-operator"),
    ("app.kubernetes.io/component", "tikv"),
];
const INSTANCE: &str = "app.kubernetes.io/instance";
const NAMESPACE: &str = "app.kubernetes.io/namespace";
const POD_NAME: &str = "tidb.pingcap.com/pod-name";
const STORE_ID: &str = "tidb.pingcap.com/store-id";

/// How restore finds the PV of a volume.
const VOLUME_ID: &str = "temporary/volume-id";

/// Written where the size of a storage volume is not known: restore counts the entries, it does not read them.
const NOMINAL_SIZE: &str = "1Gi";

/// What a claim is renamed to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `tcNamespace`.
    pub(crate) namespace: &'a str,
    /// `tcName`.
    pub(crate) name: &'a str,
    /// `None`: v1 named it already. Otherwise the store's place among those that v1 did not name.
    pub(crate) ordinal: Option<u64>,
    /// `None`: the data volume.
    pub(crate) role: Option<&'a str>,
    /// PD's number.
    pub(crate) store: StoreId,
    /// `vol-…`
    pub(crate) volume: &'a VolumeId,
}

/// The claim's name under v1: `tikv[-<storage volume>]-<name>-tikv-<ordinal>`.
pub(crate) fn claim_name(role: Option<&str>, name: &str, ordinal: u64) -> String {
    match role {
        None => format!("tikv-{name}-tikv-{ordinal}"),
        Some(role) => format!("tikv-{role}-{name}-tikv-{ordinal}"),
    }
}

/// The ordinal in a claim's name, if it has the form that v1 gives and restore demands: `^(.+)-<name>-tikv-(\d+)$`.
pub(crate) fn ordinal_of(claim: &str, name: &str) -> Option<u64> {
    let (front, ordinal) = claim.rsplit_once(&format!("-{name}-tikv-"))?;
    let digits = !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit());
    (!front.is_empty() && digits).then(|| ordinal.parse().ok())?
}

/// Both objects as they go into the metadata.
///
/// # Errors
/// A sentence without subject when the PV is not bound to this very claim.
pub(crate) fn prepare(pvc: Value, pv: Value, target: Target<'_>) -> Result<(Value, Value), String> {
    let bound = &pv["spec"]["claimRef"];
    let (name, namespace) = (&pvc["metadata"]["name"], &pvc["metadata"]["namespace"]);
    if !name.is_string() || bound["name"] != *name || bound["namespace"] != *namespace {
        return Err(format!("is not bound to claim {namespace}/{name} but has claimRef {bound}"));
    }
    let (mut pvc, mut pv) = (fields(pvc), fields(pv));
    edit(&mut pvc, "metadata", |metadata| {
        tidy(metadata, target);
        rename(metadata, target);
    });
    edit(&mut pv, "metadata", |metadata| {
        tidy(metadata, target);
        edit(metadata, "annotations", |annotations| set(annotations, VOLUME_ID, target.volume.as_str()));
        edit(metadata, "labels", |labels| set(labels, NAMESPACE, target.namespace));
    });
    edit(&mut pv, "spec", |spec| edit(spec, "claimRef", |claim| rename(claim, target)));
    Ok((Value::Object(pvc), Value::Object(pv)))
}

/// Drops what must not travel, sets what v1's next backup selects by. Under v1 a label that is there stays: a TidbCluster's
/// own instance label wins over its name. A renamed object loses every label of v2, so that no v2 operator takes it for
/// its own.
fn tidy(metadata: &mut Map<String, Value>, target: Target<'_>) {
    metadata.remove("managedFields");
    // An owner that does not exist where the file is restored makes Kubernetes delete the object.
    metadata.remove("ownerReferences");
    let pod = target.ordinal.map(|ordinal| format!("{}-tikv-{ordinal}", target.name));
    edit(metadata, "labels", |labels| {
        if pod.is_some() {
            labels.retain(|key, _| !key.starts_with("pingcap.com/"));
            labels.remove(INSTANCE);
        }
        for (key, value) in LABELS.into_iter().chain([(INSTANCE, target.name)]) {
            labels.entry(key).or_insert_with(|| json!(value));
        }
        set(labels, STORE_ID, &target.store.to_string());
        if let Some(pod) = &pod {
            set(labels, POD_NAME, pod);
        }
    });
    edit(metadata, "annotations", |annotations| {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if let Some(pod) = &pod {
            set(annotations, POD_NAME, pod);
        }
    });
}

/// Name and namespace of the claim, in itself or in the PV's claimRef.
fn rename(object: &mut Map<String, Value>, target: Target<'_>) {
    if let Some(ordinal) = target.ordinal {
        set(object, "name", &claim_name(target.role, target.name, ordinal));
        set(object, "namespace", target.namespace);
    }
}

/// The smallest TidbCluster that restore compares with (`facts/topology.md` §2): how many TiKV this plane has, and how many
/// volumes each has beside its data volume (`role`, mount path).
pub(crate) fn minimal_tidb_cluster(
    namespace: &str,
    name: &str,
    replicas: usize,
    volumes: &[(String, String)],
    config: Option<&str>,
) -> Value {
    let volumes: Vec<Value> = volumes
        .iter()
        .map(|(role, mount)| json!({"name": role, "storageSize": NOMINAL_SIZE, "mountPath": mount}))
        .collect();
    json!({
        "apiVersion": "pingcap.com/v1alpha1",
        "kind": "TidbCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"acrossK8s": true, "tikv": {"replicas": replicas, "storageVolumes": volumes, "config": config}},
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Changes an object inside an object; made where it is missing or something else.
fn edit(object: &mut Map<String, Value>, field: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut inner = object.remove(field).map(fields).unwrap_or_default();
    change(&mut inner);
    object.insert(field.to_owned(), Value::Object(inner));
}

fn set(object: &mut Map<String, Value>, field: &str, value: &str) {
    object.insert(field.to_owned(), Value::String(value.to_owned()));
}
