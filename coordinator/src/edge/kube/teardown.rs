//! Does the kind, or the namespace, go at this moment? Both get their deletionTimestamp before the first of their objects
//! does, so whoever asks after he saw an object's is told of the cause.

use super::call::{CALL_LIMIT, bounded};
use crate::ports::{PortError, Teardown};
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What the CRD of VolumeBackup is called.
const CRD: &str = "volumebackups.federation.pingcap.com";

/// Of the objects of one namespace.
pub(super) async fn teardown(client: &Client, namespace: &str) -> Result<Teardown, PortError> {
    match goes::<CustomResourceDefinition>(client, "CustomResourceDefinition", CRD).await? {
        Teardown::None => goes::<Namespace>(client, "Namespace", namespace).await,
        told => Ok(told),
    }
}

async fn goes<K>(client: &Client, kind: &str, name: &str) -> Result<Teardown, PortError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let what = format!("read {kind} {name}");
    let api: Api<K> = Api::all(client.clone());
    let read = tokio::time::timeout(CALL_LIMIT, api.get_metadata(name)).await;
    match read {
        Ok(Ok(found)) if found.metadata.deletion_timestamp.is_none() => Ok(Teardown::None),
        Ok(Ok(_)) => Ok(Teardown::Of(format!("{kind} {name} is being deleted"))),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(Teardown::Of(format!("{kind} {name} is gone"))),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Ok(Teardown::Unknown(status.message.clone())),
        Ok(Err(error)) => bounded(&what, async { Err(error) }).await,
        Err(_) => Err(PortError::Unavailable(format!("{what}: no answer from the API server in time"))),
    }
}

#[cfg(test)]
mod tests;
