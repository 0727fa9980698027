//! A PersistentVolume and its claim, from those of the backup.

use super::{name::pv_name, zones};
use crate::ids::{PlaneId, VolumeId};
use serde_json::{Map, Value, json};

/// On everything that a restore writes: the VolumeRestore's uid.
pub const LABEL: &str = "isochron.pingcap.com/restore";
/// Where tools of v1.6 look for the volume (`facts/restore.md` §2.4).
pub const RESTORED: &str = "tikv-volume-restore/volume-id";

/// By what v1.6 finds a volume in backupmeta; not in a cluster.
pub(super) const IN_BACKUP: &str = "temporary/volume-id";
const INSTANCE: &str = "app.kubernetes.io/instance";
const NAMESPACE: &str = "app.kubernetes.io/namespace";
const POD_NAME: &str = "tidb.pingcap.com/pod-name";
/// Of the backup's PD, which is not the new one's.
const CLUSTER_ID: &str = "tidb.pingcap.com/cluster-id";
/// What was true of the old claim and volume alone: how they were bound, and to which node.
const BINDING: [&str; 3] =
    ["pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "volume.kubernetes.io/selected-node"];

/// What all objects of a restore in a plane have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewriting<'a> {
    /// `metadata.uid` of the VolumeRestore.
    pub restore: &'a str,
    /// Where they go.
    pub plane: &'a PlaneId,
    /// `tcNamespace`
    pub namespace: &'a str,
    /// `tcName`
    pub cluster: &'a str,
    /// `persistentVolumeReclaimPolicy`; `None`: as it was (a drill deletes).
    pub reclaim: Option<&'a str>,
}

/// Where one volume goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goes<'a> {
    /// The new one.
    pub volume: &'a VolumeId,
    /// Where it is.
    pub zone: &'a str,
    /// Number of the pod, anew from 0 ([`crate::restore::mapping`]).
    pub pod: u32,
    /// Name of the volume within a pod, as its claim's name begins: `tikv`, `tikv-raft`, ….
    pub name: &'a str,
}

/// A PersistentVolume, and the claim that it is bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The PersistentVolume.
    pub pv: Value,
    /// The PersistentVolumeClaim.
    pub pvc: Value,
}

impl Rewriting<'_> {
    /// Name of the PersistentVolume of a volume.
    #[must_use]
    pub fn pv_name(&self, goes: &Goes<'_>) -> String {
        pv_name(self.restore, self.plane, goes.pod, goes.name)
    }

    /// Name of its claim, as v1's operator will look for it.
    #[must_use]
    pub fn claim_name(&self, goes: &Goes<'_>) -> String {
        format!("{}-{}-tikv-{}", goes.name, self.cluster, goes.pod)
    }

    /// Both objects, bound to each other by name: a uid can be only of a claim that is there.
    ///
    /// # Errors
    /// In words, what backupmeta holds instead of a volume of EBS and its claim.
    pub fn bound(&self, pv: &Value, pvc: &Value, goes: &Goes<'_>) -> Result<Bound, String> {
        let (pv_name, claim) = (self.pv_name(goes), self.claim_name(goes));
        let mut new_claim = cut(pvc, "PersistentVolumeClaim", &claim)?;
        new_claim["metadata"]["namespace"] = json!(self.namespace);
        self.relabel(&mut new_claim, goes);
        let spec = new_claim.get_mut("spec").and_then(Value::as_object_mut);
        let spec = spec.ok_or_else(|| format!("claim {} of the backup has no spec", name_of(pvc)))?;
        // They say how a volume would be made, and this one is made.
        for field in ["dataSource", "dataSourceRef"] {
            spec.remove(field);
        }
        spec.insert("volumeName".to_owned(), json!(pv_name));
        Ok(Bound { pv: self.volume(pv, goes, &claim, None)?, pvc: new_claim })
    }

    /// The PersistentVolume alone, for a claim of a class that nothing serves: it waits for just this.
    ///
    /// # Errors
    /// As [`Rewriting::bound`].
    pub fn for_claim(&self, pv: &Value, goes: &Goes<'_>, claim: &str, class: &str) -> Result<Value, String> {
        self.volume(pv, goes, claim, Some(class))
    }

    fn volume(&self, pv: &Value, goes: &Goes<'_>, claim: &str, class: Option<&str>) -> Result<Value, String> {
        let mut new = cut(pv, "PersistentVolume", &self.pv_name(goes))?;
        self.relabel(&mut new, goes);
        edit(&mut new["metadata"], "labels", |labels| {
            labels.insert(NAMESPACE.to_owned(), json!(self.namespace));
        });
        edit(&mut new["metadata"], "annotations", |annotations| {
            annotations.remove(IN_BACKUP);
            annotations.insert(RESTORED.to_owned(), json!(goes.volume.as_str()));
        });
        let spec = new.get_mut("spec").and_then(Value::as_object_mut);
        let spec = spec.ok_or_else(|| format!("PV {} of the backup has no spec", name_of(pv)))?;
        rehandle(spec, goes).map_err(|what| format!("PV {} of the backup {what}", name_of(pv)))?;
        let claim_ref =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": self.namespace, "name": claim});
        spec.insert("claimRef".to_owned(), claim_ref);
        if let Some(class) = class {
            spec.insert("storageClassName".to_owned(), json!(class));
        }
        if let Some(reclaim) = self.reclaim {
            spec.insert("persistentVolumeReclaimPolicy".to_owned(), json!(reclaim));
        }
        zones::rewrite(&mut new, goes.zone);
        Ok(new)
    }

    /// Whose it is now.
    fn relabel(&self, object: &mut Value, goes: &Goes<'_>) {
        let pod = format!("{}-tikv-{}", self.cluster, goes.pod);
        edit(&mut object["metadata"], "labels", |labels| {
            labels.remove(CLUSTER_ID);
            for (key, value) in [(LABEL, self.restore), (INSTANCE, self.cluster), (POD_NAME, &pod)] {
                labels.insert(key.to_owned(), json!(value));
            }
            if labels.contains_key(NAMESPACE) {
                labels.insert(NAMESPACE.to_owned(), json!(self.namespace));
            }
        });
        edit(&mut object["metadata"], "annotations", |annotations| {
            for key in BINDING {
                annotations.remove(key);
            }
            if annotations.contains_key(POD_NAME) {
                annotations.insert(POD_NAME.to_owned(), json!(pod));
            }
        });
    }
}

/// Name, labels, annotations and spec: nothing else of an object travels.
fn cut(object: &Value, kind: &str, name: &str) -> Result<Value, String> {
    if !object.is_object() {
        return Err(format!("backupmeta has no {kind} for {name}"));
    }
    let part = |field: &str| match &object["metadata"][field] {
        Value::Object(part) => Value::Object(part.clone()),
        _ => json!({}),
    };
    let metadata = json!({"name": name, "labels": part("labels"), "annotations": part("annotations")});
    Ok(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": object["spec"]}))
}

/// The new volume in the place of the old one, in the form that the old one had.
fn rehandle(spec: &mut Map<String, Value>, goes: &Goes<'_>) -> Result<(), String> {
    let form = |old: &Value| match old.as_str() {
        Some(old) if old.starts_with("aws://") => format!("aws://{}/{}", goes.zone, goes.volume),
        _ => goes.volume.to_string(),
    };
    if let Some(csi) = spec.get_mut("csi").and_then(Value::as_object_mut) {
        let handle = form(csi.get("volumeHandle").unwrap_or(&Value::Null));
        csi.insert("volumeHandle".to_owned(), json!(handle));
        return Ok(());
    }
    if let Some(disk) = spec.get_mut("awsElasticBlockStore").and_then(Value::as_object_mut) {
        let id = form(disk.get("volumeID").unwrap_or(&Value::Null));
        disk.insert("volumeID".to_owned(), json!(id));
        return Ok(());
    }
    Err("is neither csi nor awsElasticBlockStore".to_owned())
}

fn edit(object: &mut Value, field: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(inner) = object.get_mut(field).and_then(Value::as_object_mut) {
        change(inner);
    }
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
