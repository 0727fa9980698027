//! Sessions of a role, from STS. Each call makes a new one: nothing here remembers anything.
//!
//! Both go to STS in the plane's Region and partition (the SDK's rules), or where the configuration says.

use super::errors::cloud_error;
use crate::ports::WebIdentitySource;
use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};
use std::{fmt, sync::Arc};

/// Length of a session in seconds. The longest that role chaining allows (`facts/aws.md` A9); a longer one is refused.
const SESSION_SECONDS: i32 = 3600;

/// STS, at the endpoint that was named.
pub(crate) fn sts(config: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(config);
    let config = match endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    };
    aws_sdk_sts::Client::from_conf(config.build())
}

/// AssumeRole, signed with the plane actor's own credentials.
pub(crate) struct AssumedRole {
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) role: String,
    /// Empty: none is sent.
    pub(crate) external_id: String,
    /// What CloudTrail shows.
    pub(crate) session: String,
}

impl AssumedRole {
    async fn assume(&self) -> provider::Result {
        let call = self.sts.assume_role().role_arn(&self.role).role_session_name(&self.session);
        let call = call.set_external_id((!self.external_id.is_empty()).then(|| self.external_id.clone()));
        let answer = call.duration_seconds(SESSION_SECONDS).send().await;
        let answer = answer.map_err(|error| {
            CredentialsError::provider_error(cloud_error(&format!("sts:AssumeRole on {}", self.role), &error))
        })?;
        session(answer.credentials, "AssumeRole")
    }
}

/// AssumeRoleWithWebIdentity with a token of the moment, held in memory only. The call is unsigned.
pub(crate) struct WebRole {
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) source: Arc<dyn WebIdentitySource>,
    /// What CloudTrail shows.
    pub(crate) session: String,
}

impl WebRole {
    async fn assume(&self) -> provider::Result {
        let identity = self.source.web_identity().await.map_err(CredentialsError::provider_error)?;
        let call = self.sts.assume_role_with_web_identity().role_arn(&identity.role).role_session_name(&self.session);
        let answer = call.web_identity_token(identity.token).duration_seconds(SESSION_SECONDS).send().await;
        let answer = answer.map_err(|error| {
            let action = format!("sts:AssumeRoleWithWebIdentity on {}", identity.role);
            CredentialsError::provider_error(cloud_error(&action, &error))
        })?;
        session(answer.credentials, "AssumeRoleWithWebIdentity")
    }
}

fn session(given: Option<aws_sdk_sts::types::Credentials>, provider: &'static str) -> provider::Result {
    let given = given.ok_or_else(|| CredentialsError::unhandled("STS answered without credentials"))?;
    let expiry = given.expiration.try_into().map_err(CredentialsError::unhandled)?;
    let (key, secret) = (given.access_key_id, given.secret_access_key);
    Ok(Credentials::new(key, secret, Some(given.session_token), Some(expiry), provider))
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssumedRole({})", self.role)
    }
}

impl fmt::Debug for WebRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebRole(..)")
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

impl ProvideCredentials for WebRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
