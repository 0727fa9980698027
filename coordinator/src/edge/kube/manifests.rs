//! Objects as people write them, by server-side apply: fields of others stay theirs, and what they own is a conflict.

use super::{
    call::{bounded, is_refusal},
    crd::{VolumeBackup, VolumeBackupSchedule, VolumeRestore},
};
use crate::ports::{Applied, Kind, Manifests, Named, PortError};
use async_trait::async_trait;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::Value;
use shared::reason::{Reason, Refusal};

/// Who owns the fields of what the console applies.
const MANAGER: &str = "isochron-console";

/// The objects of one API server, by the rights of whose client it is.
#[derive(Clone)]
pub struct KubeManifests(Client);

impl KubeManifests {
    /// Needs the rights to get, create, patch and delete both kinds.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    fn api(&self, named: &Named) -> Api<DynamicObject> {
        let resource = match named.kind {
            Kind::Backup => ApiResource::erase::<VolumeBackup>(&()),
            Kind::Schedule => ApiResource::erase::<VolumeBackupSchedule>(&()),
            Kind::Restore => ApiResource::erase::<VolumeRestore>(&()),
        };
        Api::namespaced_with(self.0.clone(), &named.namespace, &resource)
    }
}

/// What the API server would not have is a refusal, in its own words.
async fn write<T>(what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, PortError> {
    let mut refused = None;
    let looked = async { call.await.inspect_err(|error| refused = is_refusal(error).then(|| error.to_string())) };
    let outcome = bounded(what, looked).await;
    outcome.map_err(|error| match (error, refused) {
        (error @ (PortError::NotFound(_) | PortError::Conflict(_)), _) | (error, None) => error,
        (_, Some(words)) => PortError::Refused(Refusal::new(Reason::SpecInvalid, format!("{what}: {words}"))),
    })
}

#[async_trait]
impl Manifests for KubeManifests {
    async fn apply(&self, named: &Named, manifest: &Value) -> Result<Applied, PortError> {
        let (api, what) = (self.api(named), format!("apply {}", named.told()));
        let before = write(&what, api.get_opt(&named.name)).await?;
        let (parameters, patch) = (PatchParams::apply(MANAGER), Patch::Apply(manifest));
        let after = write(&what, api.patch(&named.name, &parameters, &patch)).await?;
        Ok(match before {
            None => Applied::Created,
            Some(before) if before.metadata.resource_version == after.metadata.resource_version => Applied::Unchanged,
            Some(_) => Applied::Configured,
        })
    }

    async fn delete(&self, named: &Named) -> Result<(), PortError> {
        let what = format!("delete {}", named.told());
        write(&what, self.api(named).delete(&named.name, &DeleteParams::default())).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::kube::testing::server;
    use serde_json::json;

    #[tokio::test]
    async fn what_is_not_there_cannot_be_deleted_and_what_is_there_can() {
        let (api, client) = server();
        let manifests = KubeManifests::new(client);
        let named = Named { kind: Kind::Schedule, namespace: "br-admin".to_owned(), name: "nightly".to_owned() };
        assert!(matches!(manifests.delete(&named).await, Err(PortError::NotFound(_))));
        let path = "/apis/federation.pingcap.com/v1alpha1/namespaces/br-admin/volumebackupschedules/nightly";
        api.put(
            path,
            json!({"apiVersion": crate::ports::API_VERSION, "kind": "VolumeBackupSchedule",
                             "metadata": {"name": "nightly", "namespace": "br-admin", "uid": "u"}}),
        );
        manifests.delete(&named).await.unwrap();
        assert!(matches!(manifests.delete(&named).await, Err(PortError::NotFound(_))));
    }
}
