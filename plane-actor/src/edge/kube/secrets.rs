//! Secrets and ServiceAccounts: read on demand, never kept, never logged.

use super::{api::Call, names};
use crate::ports::{ClusterTls, PortError, WebIdentity};
use k8s_openapi::{
    ByteString,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Secret, ServiceAccount},
    },
};
use kube::{Api, Client, api::PostParams};
use shared::reason::Reason;
use std::collections::BTreeMap;

/// IRSA (`facts/tidb-operator.md` §6).
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
/// What the token is for, where the identity provider in IAM knows another audience than the usual.
const AUDIENCE_ANNOTATION: &str = "eks.amazonaws.com/audience";
const AUDIENCE: &str = "sts.amazonaws.com";

/// The API server's least: a token is used once, at once, and the next session gets one of its own.
const TOKEN_SECONDS: i64 = 600;

/// Names of the secrets with a TiDB cluster's client certificate; v2 may keep the CA apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSecrets {
    /// With `ca.crt`.
    pub(crate) ca: String,
    /// With `tls.crt` and `tls.key`.
    pub(crate) pair: String,
}

/// All keys of a secret.
pub(crate) async fn secret(
    client: &Client,
    namespace: &str,
    name: &str,
    field: &'static str,
) -> Result<BTreeMap<String, Vec<u8>>, PortError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let call = Call::new("get", "secrets", Some(namespace), name).forbidden_as(Reason::CredentialsUnreadable);
    let call = call.named_by(field);
    let found = call.optional(api.get(name)).await?.ok_or_else(|| {
        PortError::refused(Reason::CredentialsUnreadable, format!("secret {namespace}/{name} does not exist"))
    })?;
    Ok(found.data.unwrap_or_default().into_iter().map(|(key, ByteString(bytes))| (key, bytes)).collect())
}

/// The client certificate for PD and TiKV.
pub(crate) async fn cluster_tls(client: &Client, namespace: &str, names: &TlsSecrets) -> Result<ClusterTls, PortError> {
    let mut pair = secret(client, namespace, &names.pair, "").await?;
    let ca = if names.ca == names.pair {
        take(&mut pair, namespace, &names.ca, "ca.crt")?
    } else {
        take(&mut secret(client, namespace, &names.ca, "").await?, namespace, &names.ca, "ca.crt")?
    };
    let cert = take(&mut pair, namespace, &names.pair, "tls.crt")?;
    let key = take(&mut pair, namespace, &names.pair, "tls.key")?;
    Ok(ClusterTls { ca, cert, key })
}

fn take(keys: &mut BTreeMap<String, Vec<u8>>, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, PortError> {
    keys.remove(key).filter(|value| !value.is_empty()).ok_or_else(|| {
        PortError::refused(Reason::CredentialsUnreadable, format!("secret {namespace}/{name} has no key {key}"))
    })
}

/// The role of a ServiceAccount and a fresh token of it.
pub(crate) async fn service_account(client: &Client, namespace: &str, name: &str) -> Result<WebIdentity, PortError> {
    let refused = |text: String| PortError::refused(Reason::CredentialsUnreadable, text);
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let call = Call::new("get", "serviceaccounts", Some(namespace), name).forbidden_as(Reason::CredentialsUnreadable);
    let call = call.named_by(names::SERVICE_ACCOUNT);
    let account = call
        .optional(api.get(name))
        .await?
        .ok_or_else(|| refused(format!("ServiceAccount {namespace}/{name} does not exist")))?;
    let mut annotations = account.metadata.annotations.unwrap_or_default();
    let mut said = |key: &str| annotations.remove(key).filter(|text| !text.is_empty());
    let audience = said(AUDIENCE_ANNOTATION).unwrap_or_else(|| AUDIENCE.to_owned());
    let role = said(ROLE_ANNOTATION).ok_or_else(|| {
        refused(format!(
            "ServiceAccount {namespace}/{name} has no annotation {ROLE_ANNOTATION}; a role that EKS Pod Identity gives it is \
             for its own pods only: annotate it, or associate the role with the plane actor's ServiceAccount and leave \
             serviceAccount out"
        ))
    })?;
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![audience],
            expiration_seconds: Some(TOKEN_SECONDS),
            bound_object_ref: None,
        },
        ..TokenRequest::default()
    };
    let call =
        Call::new("create", "serviceaccounts/token", Some(namespace), name).forbidden_as(Reason::CredentialsUnreadable);
    let made = call.optional(api.create_token_request(name, &PostParams::default(), &request)).await?;
    let token = made
        .and_then(|made| made.status)
        .map(|status| status.token)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| refused(format!("the API server made no token for ServiceAccount {namespace}/{name}")))?;
    Ok(WebIdentity { role, token })
}
