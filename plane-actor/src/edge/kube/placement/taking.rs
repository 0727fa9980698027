//! Taking away what no pod has mounted, and restarting the pods that have.

use super::{
    super::api::Call,
    own::{self, dynamic, mounted, pods_with},
};
use crate::{
    edge::kube::api::value,
    ports::{Owner, PortError},
};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Preconditions},
};
use serde_json::Value;
use shared::placement::LABEL;
use std::collections::BTreeSet;

/// Seconds that a TiKV has to end. v2's pods have eighteen hours, in which they wait for leaders to leave that nobody takes
/// (`facts/restore.md` §4.1).
const GRACE: u32 = 60;

/// HTTP's numbers for "it is gone" and "it is another one now".
const GONE: [u16; 2] = [404, 409];

/// Claims first: a PersistentVolume goes when its claim has gone.
pub(super) async fn take_away(
    client: &Client,
    owner: &Owner,
    volumes: &[PersistentVolume],
) -> Result<Vec<String>, PortError> {
    let ours = own::claims(client, owner).await?;
    let of_own = ours.iter().filter_map(|claim| claim["metadata"]["name"].as_str().map(str::to_owned));
    let claims: BTreeSet<String> = own::claims_of(owner, volumes).into_iter().chain(of_own).collect();
    let pods = pods_with(client, owner, &claims).await?;
    let user = |claim: &str| pods.iter().find(|pod| has_run(pod) && mounted(pod).any(|mounted| mounted == claim));
    let mut stays = Vec::new();
    let api = dynamic::<PersistentVolumeClaim>(client, Some(&owner.namespace));
    for claim in &ours {
        let name = claim["metadata"]["name"].as_str().unwrap_or_default();
        match user(name) {
            Some(pod) => stays.push(format!("PersistentVolumeClaim {}/{name}: {}", owner.namespace, has_mounted(pod))),
            None => delete(&api, ("persistentvolumeclaims", Some(&owner.namespace)), claim).await?,
        }
    }
    let api = dynamic::<PersistentVolume>(client, None);
    for volume in volumes {
        let volume = value(volume);
        let name = volume["metadata"]["name"].as_str().unwrap_or_default();
        let claim = volume["spec"]["claimRef"]["name"].as_str().unwrap_or_default();
        match user(claim) {
            Some(pod) => stays.push(format!("PersistentVolume {name}: {}", has_mounted(pod))),
            None => {
                delete(&api, ("persistentvolumes", None), &volume).await?;
                let is_ours = ours.iter().any(|one| one["metadata"]["name"] == claim);
                if !is_ours && volume["status"]["phase"] == "Bound" {
                    stays.push(format!(
                        "PersistentVolume {name}: deleted, and there until claim {}/{claim} goes, which is not the restore's",
                        owner.namespace
                    ));
                }
            }
        }
    }
    Ok(stays)
}

/// Only what bears the label is ever deleted, and only the very object that was looked at.
async fn delete(
    api: &Api<DynamicObject>,
    (resource, namespace): (&'static str, Option<&str>),
    object: &Value,
) -> Result<(), PortError> {
    let metadata = &object["metadata"];
    if !metadata["labels"][LABEL].is_string() {
        return Ok(());
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    let call = Call::new("delete", resource, namespace, name);
    let uid = metadata["uid"].as_str().map(str::to_owned);
    let params =
        DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..DeleteParams::default() };
    match call.raw(api.delete(name, &params)).await? {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if GONE.contains(&status.code) => Ok(()),
        Err(error) => Err(call.failed(&error)),
    }
}

/// Deletes the pods that mount any of these claims and were made before that second.
pub(super) async fn restart(
    client: &Client,
    owner: &Owner,
    claims: &BTreeSet<String>,
    before: i64,
) -> Result<u32, PortError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &owner.namespace);
    let mut deleted = 0;
    for pod in pods_with(client, owner, claims).await? {
        let made = pod.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
        if made.is_none_or(|made| made >= before) {
            continue;
        }
        let name = pod.metadata.name.unwrap_or_default();
        let call = Call::new("delete", "pods", Some(&owner.namespace), &name);
        let preconditions = Some(Preconditions { uid: pod.metadata.uid, resource_version: None });
        let params = DeleteParams { grace_period_seconds: Some(GRACE), preconditions, ..DeleteParams::default() };
        match call.raw(api.delete(&name, &params)).await? {
            Ok(_) => deleted += 1,
            Err(kube::Error::Api(status)) if GONE.contains(&status.code) => {}
            Err(error) => return Err(call.failed(&error)),
        }
    }
    Ok(deleted)
}

/// Its volumes were attached: a pod is Pending until they are.
fn has_run(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(|phase| phase != "Pending")
}

fn has_mounted(pod: &Pod) -> String {
    format!("pod {} has mounted it", pod.metadata.name.as_deref().unwrap_or_default())
}
