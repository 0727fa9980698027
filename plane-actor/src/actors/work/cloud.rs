//! Who we are towards AWS, and AWS's errors in words for the coordinator.

use super::{FIRST_WAIT, TRIES, refusal_of};
use crate::{
    actors::env::Env,
    ports::{Cloud, CloudError, CloudIdentity},
};
use shared::{
    reason::{Reason, Refusal},
    request::{Credentials, MemberSpec},
};

/// Credentials as the spec names them, checked; nothing is cached, so a corrected secret works at once.
pub(super) async fn connect(env: &Env, spec: &MemberSpec) -> Result<Cloud, Refusal> {
    let namespace = &spec.tc_namespace;
    let topology = &env.ports.topology;
    let unreadable = |error| refusal_of(error, Reason::CredentialsUnreadable);
    let identity = match &spec.credentials {
        Credentials::Secret(name) => {
            let keys = topology.secret(namespace, name).await.map_err(unreadable)?;
            let key = |key: &str| -> Result<String, Refusal> {
                let bytes = keys.get(key).cloned().unwrap_or_default();
                String::from_utf8(bytes)
                    .ok()
                    .map(|text| text.trim().to_owned())
                    .filter(|text| !text.is_empty())
                    .ok_or_else(|| {
                        let text = format!("secret {namespace}/{name} has no text under key {key}");
                        Refusal::new(Reason::CredentialsUnreadable, text)
                    })
            };
            CloudIdentity::Keys { access_key: key("access_key")?, secret_key: key("secret_key")? }
        }
        Credentials::Role(role) => CloudIdentity::Role(role.clone()),
        Credentials::ServiceAccount(name) => {
            CloudIdentity::WebIdentity(topology.service_account(namespace, name).await.map_err(unreadable)?)
        }
        Credentials::Default => CloudIdentity::Default,
    };
    let connecting = || env.ports.cloud.connect(&identity, &spec.storage);
    super::tried(Reason::CredentialsUnreadable, connecting).await
}

/// Which service said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ec2,
    S3,
}

/// In words for the coordinator. `what` names the call and its object.
pub(super) fn cloud_refusal(service: Service, what: &str, error: &CloudError) -> Refusal {
    let unavailable = match service {
        Service::Ec2 => Reason::Ec2Unavailable,
        Service::S3 => Reason::StorageUnavailable,
    };
    let reason = match error {
        CloudError::Denied(_) => Reason::AccessDenied,
        CloudError::Quota(_) => Reason::SnapshotQuota,
        CloudError::NotFound(_) if service == Service::S3 => Reason::BucketMissing,
        CloudError::Throttled(_)
        | CloudError::PerVolumeRate(_)
        | CloudError::Refused { .. }
        | CloudError::NotFound(_)
        | CloudError::OutcomeUnknown(_) => unavailable,
    };
    Refusal::new(reason, format!("{what}: {error}"))
}

/// A call that may be repeated (a read, or a write that names its whole outcome), tried again while its failure may
/// pass by itself.
pub(super) async fn cloud_tried<T, F>(service: Service, what: &str, mut call: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, CloudError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match call().await {
            Ok(value) => return Ok(value),
            Err(CloudError::Throttled(_) | CloudError::OutcomeUnknown(_)) => {}
            Err(error) => return Err(cloud_refusal(service, what, &error)),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    call().await.map_err(|error| cloud_refusal(service, what, &error))
}
