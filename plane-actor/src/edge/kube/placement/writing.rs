//! Writing a PersistentVolume and its claim. What is there by that name is left as it is, whosever it is.

use super::{super::api::Call, own::dynamic};
use crate::{
    edge::kube::api::value,
    ports::{BoundVolume, Owner, PortError, Put},
};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
};
use serde_json::Value;
use shared::{
    placement::{LABEL, RESTORED},
    reason::Reason,
};

/// HTTP's numbers for "there is one" and for what no later try makes better.
const CONFLICT: u16 = 409;
const INVALID: [u16; 2] = [400, 422];

/// The PersistentVolume first: a claim that names one waits for it.
pub(super) async fn put(client: &Client, owner: &Owner, volume: &BoundVolume) -> Result<Put, PortError> {
    let api = dynamic::<PersistentVolume>(client, None);
    let pv = one(&api, ("persistentvolumes", None), owner, &volume.pv, same_volume).await?;
    let Some(claim) = volume.pvc.as_ref().filter(|_| !matches!(pv, Put::InTheWay(_))) else { return Ok(pv) };
    let api = dynamic::<PersistentVolumeClaim>(client, Some(&owner.namespace));
    let place = ("persistentvolumeclaims", Some(owner.namespace.as_str()));
    Ok(match (pv, one(&api, place, owner, claim, same_claim).await?) {
        (_, Put::InTheWay(what)) => Put::InTheWay(what),
        (Put::There, Put::There) => Put::There,
        _ => Put::Made,
    })
}

async fn one(
    api: &Api<DynamicObject>,
    (resource, namespace): (&'static str, Option<&str>),
    owner: &Owner,
    wanted: &Value,
    same: fn(&Value, &Value) -> bool,
) -> Result<Put, PortError> {
    let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
    let get = Call::new("get", resource, namespace, name);
    if let Some(found) = get.optional(api.get(name)).await? {
        return judged(&get, owner, wanted, &value(found), same);
    }
    let object: DynamicObject = serde_json::from_value(wanted.clone()).map_err(|error| {
        let text = format!("{name}, as backupmeta has it, is no object of Kubernetes: {error}");
        PortError::refused(Reason::VolumeUnsupported, text)
    })?;
    let create = Call::new("create", resource, namespace, name);
    match create.raw(api.create(&PostParams::default(), &object)).await? {
        Ok(_) => Ok(Put::Made),
        // Somebody was faster; it may have been an earlier call of ours whose answer was lost.
        Err(kube::Error::Api(status)) if status.code == CONFLICT => match get.optional(api.get(name)).await? {
            Some(found) => judged(&get, owner, wanted, &value(found), same),
            None => Err(PortError::Unavailable(format!("{create}: {}", status.message))),
        },
        Err(kube::Error::Api(status)) if INVALID.contains(&status.code) => {
            let text = format!("the API server does not take {resource} {name}: {}", status.message);
            Err(PortError::refused(Reason::VolumeUnsupported, text))
        }
        Err(error) => Err(create.failed(&error)),
    }
}

/// Is what has the name the very one?
fn judged(
    call: &Call,
    owner: &Owner,
    wanted: &Value,
    found: &Value,
    same: fn(&Value, &Value) -> bool,
) -> Result<Put, PortError> {
    let (kind, metadata) = (wanted["kind"].as_str().unwrap_or_default(), &found["metadata"]);
    let name = metadata["name"].as_str().unwrap_or_default();
    let restore = metadata["labels"][LABEL].as_str();
    if restore == Some(owner.restore.as_str()) && same(wanted, found) {
        if metadata["deletionTimestamp"].is_string() {
            return Err(PortError::Unavailable(format!("{call}: it is being deleted")));
        }
        return Ok(Put::There);
    }
    let whose = match restore {
        None => "no restore made it".to_owned(),
        Some(other) if other == owner.restore => "this restore made it for another volume".to_owned(),
        Some(other) => format!("restore {other} made it"),
    };
    let phase = found["status"]["phase"].as_str().unwrap_or("of unknown phase");
    Ok(Put::InTheWay(format!("{kind} {name} is there already ({phase}): {whose}")))
}

/// Of the same EBS volume, for the same claim.
fn same_volume(wanted: &Value, found: &Value) -> bool {
    let claim = |pv: &Value| ["namespace", "name"].map(|field| pv["spec"]["claimRef"][field].clone());
    wanted["metadata"]["annotations"][RESTORED] == found["metadata"]["annotations"][RESTORED]
        && claim(wanted) == claim(found)
}

/// For the same PersistentVolume.
fn same_claim(wanted: &Value, found: &Value) -> bool {
    wanted["spec"]["volumeName"] == found["spec"]["volumeName"]
}
