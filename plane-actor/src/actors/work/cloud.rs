//! Who we are towards AWS, and AWS's errors in words for the coordinator.

use super::retry::{repeated, tried};
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{Cloud, CloudError, CloudIdentity, PortError, Topology, WebIdentity, WebIdentitySource},
};
use async_trait::async_trait;
use shared::{
    reason::{Reason, Refusal},
    request::{Credentials, ForeignRole, MemberSpec},
};
use std::sync::Arc;

/// Credentials as the spec names them, checked; nothing is cached, so a corrected secret works at once.
pub(super) async fn connect(env: &PlaneContext, spec: &MemberSpec) -> Result<Cloud, Refusal> {
    let connected = async {
        if let Some(role) = &spec.storage.role {
            check_role(&role.arn).map_err(|Refusal { reason, message }| {
                Refusal::new(reason, format!("{}: {message}", spec.storage.of_its_role()))
            })?;
        }
        let identity = identity(env.ports.topology.clone(), spec).await?;
        let connecting = || env.ports.cloud.connect(&identity, &spec.storage);
        tried(Reason::CredentialsUnreadable, connecting).await
    };
    connected.await.map_err(|refusal| explained(spec, refusal))
}

async fn identity(topology: Arc<dyn Topology>, spec: &MemberSpec) -> Result<CloudIdentity, Refusal> {
    let namespace = &spec.tc_namespace;
    match &spec.credentials {
        Credentials::Secret(name) => {
            let reading = || topology.secret(namespace, name);
            let keys = tried(Reason::CredentialsUnreadable, reading).await?;
            let key = |key: &str| -> Result<String, Refusal> {
                let bytes = keys.get(key).cloned().unwrap_or_default();
                let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
                text.filter(|text| !text.is_empty()).ok_or_else(|| {
                    Refusal::new(Reason::CredentialsUnreadable, format!("it has no text under key {key}"))
                })
            };
            Ok(CloudIdentity::Keys { access_key: key("access_key")?, secret_key: key("secret_key")? })
        }
        Credentials::Role(role) => {
            check_role(role)?;
            Ok(CloudIdentity::Role { arn: role.clone(), external_id: spec.role_external_id.clone() })
        }
        Credentials::ServiceAccount(name) => {
            let source = OfServiceAccount { topology, namespace: namespace.clone(), name: name.clone() };
            Ok(CloudIdentity::ServiceAccount(Arc::new(source)))
        }
        Credentials::Default => Ok(CloudIdentity::Default),
    }
}

/// A ServiceAccount's role and token, read at each renewal: a Completing outlasts both.
struct OfServiceAccount {
    topology: Arc<dyn Topology>,
    namespace: String,
    name: String,
}

#[async_trait]
impl WebIdentitySource for OfServiceAccount {
    async fn web_identity(&self) -> Result<WebIdentity, PortError> {
        let identity = self.topology.service_account(&self.namespace, &self.name).await?;
        check_role(&identity.role).map_err(PortError::Refused)?;
        Ok(identity)
    }
}

/// STS takes whole ARNs only; the short names of kube2iam are none.
fn check_role(role: &str) -> Result<(), Refusal> {
    let mut parts = role.splitn(6, ':');
    let is = |part: Option<&str>, word: &str| part == Some(word);
    let right = is(parts.next(), "arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && is(parts.next(), "iam")
        && is(parts.next(), "")
        && parts
            .next()
            .is_some_and(|account| account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()))
        && parts.next().is_some_and(|name| name.starts_with("role/"));
    if right {
        return Ok(());
    }
    let text = format!("{role:?} is no ARN of a role; write arn:aws:iam::ACCOUNT:role/NAME");
    Err(Refusal::new(Reason::CredentialsUnreadable, text))
}

/// The identity that the spec names.
fn whose(spec: &MemberSpec) -> String {
    let namespace = &spec.tc_namespace;
    match &spec.credentials {
        Credentials::Secret(name) => format!("secret {namespace}/{name}"),
        Credentials::Role(role) => format!("role {role} (annotation iam.amazonaws.com/role)"),
        Credentials::ServiceAccount(name) => format!("ServiceAccount {namespace}/{name}"),
        Credentials::Default => "the plane actor's own AWS credentials".to_owned(),
    }
}

fn is_of_credentials(reason: Reason) -> bool {
    matches!(reason, Reason::AccessDenied | Reason::CredentialsRefused | Reason::CredentialsUnreadable)
}

/// Says whose credentials a refusal is about, if it is about any.
pub(super) fn named(spec: &MemberSpec, refusal: Refusal) -> Refusal {
    if !is_of_credentials(refusal.reason) {
        return refusal;
    }
    Refusal::new(refusal.reason, format!("{}: {}", whose(spec), refusal.message))
}

/// The same of a refusal by S3, which sees the role for the bucket where there is one.
pub(super) fn named_in_s3(spec: &MemberSpec, refusal: Refusal) -> Refusal {
    let Some(role) = spec.storage.role.as_ref().filter(|_| is_of_credentials(refusal.reason)) else {
        return named(spec, refusal);
    };
    let (ours, message) = (spec.storage.of_its_role(), refusal.message);
    let next = format!("its own policy and that of bucket {} must allow it", spec.storage.bucket);
    Refusal::new(refusal.reason, format!("{ours}: {message}; {} is who S3 sees: {next}", role.arn))
}

/// The same when nobody could be acted as: with what a person does next, where the reason alone does not say it.
fn explained(spec: &MemberSpec, refusal: Refusal) -> Refusal {
    if let Some(role) = spec.storage.role.as_ref().filter(|_| refusal.message.starts_with(&spec.storage.of_its_role()))
    {
        let next = next_step_for_bucket(spec, role, refusal.reason);
        let more = next.map(|next| format!("; {next}")).unwrap_or_default();
        return Refusal::new(refusal.reason, refusal.message + &more);
    }
    let next = next_step(spec, refusal.reason);
    let named = named(spec, refusal);
    match next {
        None => named,
        Some(next) => Refusal::new(named.reason, format!("{}; {next}", named.message)),
    }
}

fn next_step(spec: &MemberSpec, reason: Reason) -> Option<String> {
    let denied = reason == Reason::AccessDenied;
    let refused = reason == Reason::CredentialsRefused;
    match &spec.credentials {
        Credentials::Secret(_) if refused => {
            Some("put a valid pair under its keys access_key and secret_key".to_owned())
        }
        Credentials::Role(_) if denied => {
            let text = "allow sts:AssumeRole on this role to the plane actor's own role, and name that one in the trust \
                        policy of this role";
            Some(text.to_owned())
        }
        Credentials::Role(_) if refused => Some("it is assumed with the plane actor's own credentials".to_owned()),
        Credentials::ServiceAccount(name) if denied || refused => Some(format!(
            "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to system:serviceaccount:{}:{name} of this \
             Kubernetes cluster's OIDC provider, which IAM must know with audience sts.amazonaws.com \
             (or that of its annotation eks.amazonaws.com/audience)",
            spec.tc_namespace
        )),
        Credentials::Default => {
            let text = "give the plane actor's ServiceAccount a role (IRSA or EKS Pod Identity), or name a secret, a role \
                        or a ServiceAccount in the backup";
            Some(text.to_owned())
        }
        Credentials::Secret(_) | Credentials::Role(_) | Credentials::ServiceAccount(_) => None,
    }
}

/// Of the role that is assumed for the bucket, by whoever the plane is.
fn next_step_for_bucket(spec: &MemberSpec, role: &ForeignRole, reason: Reason) -> Option<String> {
    let (arn, whose) = (&role.arn, whose(spec));
    match reason {
        Reason::AccessDenied => {
            let external = match role.external_id.as_str() {
                "" => "without an external id (--s3.external-id gives one)".to_owned(),
                id => format!("with external id {id:?} (--s3.external-id)"),
            };
            Some(format!(
                "allow sts:AssumeRole on {arn} to {whose}, and name whoever that is in the trust policy of {arn}, {external}"
            ))
        }
        Reason::CredentialsRefused => Some(format!("{arn} is assumed with {whose}")),
        _ => None,
    }
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
        CloudError::NotAccepted(_) => Reason::CredentialsRefused,
        CloudError::WrongTime(_) => Reason::NodeClockWrong,
        CloudError::NoCredentials(_) => Reason::CredentialsUnreadable,
        CloudError::Quota(_) => Reason::SnapshotQuota,
        CloudError::NotFound(_) if service == Service::S3 => Reason::BucketMissing,
        CloudError::Throttled(_)
        | CloudError::PerVolumeRate(_)
        | CloudError::InvalidState(_)
        | CloudError::Refused { .. }
        | CloudError::NotFound(_)
        | CloudError::OutcomeUnknown(_) => unavailable,
    };
    let number = quota(error).map(|number| format!(" ({number})")).unwrap_or_default();
    Refusal::new(reason, format!("{what}: {error}{number}"))
}

/// How much a quota allows, which EC2's words leave out (`facts/aws.md` A3).
fn quota(error: &CloudError) -> Option<&'static str> {
    let CloudError::Quota(text) = error else { return None };
    let numbers = [
        (
            "ConcurrentSnapshotLimitExceeded",
            "5 snapshots of one volume may be unfinished or in error, of st1 and sc1 one",
        ),
        ("PendingSnapshotLimitExceeded", "pending snapshots of the whole account count, 100 where users have seen it"),
        ("SnapshotLimitExceeded", "100,000 snapshots in a Region, unless AWS has raised it"),
    ];
    numbers.into_iter().find(|(code, _)| text.contains(code)).map(|(_, number)| number)
}

/// An answer, and the account's budget told if EC2 refused by rate.
pub(super) fn throttled<T>(
    env: &PlaneContext,
    cloud: &Cloud,
    action: Action,
    answer: Result<T, CloudError>,
) -> Result<T, CloudError> {
    if matches!(answer, Err(CloudError::Throttled(_))) {
        env.throttled(&cloud.account, &cloud.region, action);
    }
    answer
}

/// A call that may be repeated (a read, or a write that names its whole outcome), tried again while its failure may
/// pass by itself.
pub(super) async fn cloud_tried<T, F>(service: Service, what: &str, call: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, CloudError>>,
{
    let passes = |error: &CloudError| matches!(error, CloudError::Throttled(_) | CloudError::OutcomeUnknown(_));
    repeated(passes, call).await.map_err(|error| cloud_refusal(service, what, &error))
}

#[cfg(test)]
mod tests;
