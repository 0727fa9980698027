//! What is a restore's own: by its label, and by what that leads to.

use super::super::{
    api::{self, Call, value},
    names,
};
use crate::ports::{Owner, PortError};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{Api, Client, Resource, api::DynamicObject, core::ApiResource};
use serde_json::Value;
use shared::{placement::LABEL, reason::Reason};
use std::collections::BTreeSet;

/// Every PersistentVolume that bears the restore's label.
pub(super) async fn volumes(client: &Client, owner: &Owner) -> Result<Vec<PersistentVolume>, PortError> {
    let api: Api<PersistentVolume> = Api::all(client.clone());
    let call = Call::new("list", "persistentvolumes", None, "those of a restore");
    Ok(api::list(&call, &api, &selector(owner)?).await?.unwrap_or_default())
}

/// Claims that bear it, too.
pub(super) async fn claims(client: &Client, owner: &Owner) -> Result<Vec<Value>, PortError> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &owner.namespace);
    let call = Call::new("list", "persistentvolumeclaims", Some(&owner.namespace), "");
    let found = api::list(&call, &api, &selector(owner)?).await?.unwrap_or_default();
    Ok(found.into_iter().map(value).collect())
}

/// Names of the claims in the cluster's namespace that are, or will be, bound to these.
pub(super) fn claims_of(owner: &Owner, volumes: &[PersistentVolume]) -> BTreeSet<String> {
    let claim = |pv: &PersistentVolume| pv.spec.as_ref()?.claim_ref.clone();
    let here = volumes.iter().filter_map(claim).filter(|claim| claim.namespace.as_ref() == Some(&owner.namespace));
    here.filter_map(|claim| claim.name).collect()
}

/// Pods of the cluster's namespace that mount any of these claims.
pub(super) async fn pods_with(
    client: &Client,
    owner: &Owner,
    claims: &BTreeSet<String>,
) -> Result<Vec<Pod>, PortError> {
    let api = Api::namespaced(client.clone(), &owner.namespace);
    let call = Call::new("list", "pods", Some(&owner.namespace), "").named_by(names::TC_NAMESPACE);
    let mut pods = api::list(&call, &api, "").await?.unwrap_or_default();
    pods.retain(|pod| mounted(pod).any(|claim| claims.contains(claim)));
    Ok(pods)
}

/// Claims that a pod mounts.
pub(super) fn mounted(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
}

/// A uid that is no value of a label selects nothing, or everything: neither is asked for.
pub(super) fn selector(owner: &Owner) -> Result<String, PortError> {
    let uid = &owner.restore;
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    if uid.is_empty() || uid.len() > 63 || !uid.chars().all(plain) {
        let text = format!("{uid:?} is no uid of a VolumeRestore: it cannot be the value of a label");
        return Err(PortError::refused(Reason::SpecInvalid, text));
    }
    Ok(format!("{LABEL}={uid}"))
}

/// An API of whatever an object is, as plain JSON.
pub(super) fn dynamic<K: Resource<DynamicType = ()>>(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<K>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}
